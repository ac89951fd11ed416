// Mirror batches and their answers in few bytes, many in one frame: what the two ends of a
// connection have told each other once becomes a small number.
//
// Each direction has a dictionary that both ends keep alike, since a connection is lossless and in
// order: rings of sessions (with the epoch, primary, formers, number and cache that a batch named
// last) and of items (with the validator named last). What is new takes the next place of its ring,
// over the oldest once it is full; the sender knows the places by value, the receiver by number.
// So nothing is negotiated, and the memory is bounded: 5 MiB for a connection, both directions,
// full.
//
// Answers name no session: they count the batches of the other direction, in their order, so that
// one of them acknowledges a whole run. Batches beyond kUnansweredMax are sent unnumbered, and
// their answers as messages of their own.
//
// Packed bytes are operations, one after the other. Fixed numbers come with their width in bits,
// the others are varints:
//   batch    flags: kind (2 bits), new session, head, number, snapshot, urgent, one change;
//            session (2 x 64 if new, else its place);
//            head: counter, server 32, number of formers and 128 if the primary is not the epoch's
//            server, and 64 if the batch ends a snapshot, [primary 32], formers 32; number: 64-bit
//            varint, else the last one plus 1; number of changes unless one; changes
//   change   flags: evicted, cache, new key, validator, digest, fresh, host, time; [cache 64]; key
//   64
//            or its place; [crc 32, length, [digest 128]]; [host 64, else the last one]; [time:
//            what it is more than the last one]; [fresh]; an evicted item with a new key takes no
//            place. The time is the batch's, with the first of its changes that is fresh
//   answers  flags: kind, answer (2 bits), skip, epoch, run; [batches without an answer]; [counter,
//            server 32, else the batch's]; [how many in a row]
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/result.h"
#include "common/wire/compact_bytes.h"
#include "common/wire/messages.h"

namespace tandem {

// What Hello says: the packed form that we read, and the greatest that we write.
// 1 has no fresh changes; 1 and 2 do not say where a snapshot ends: its first batch replaces all.
inline constexpr std::uint32_t kPackingVersion = 3;
inline constexpr std::uint32_t kPackingSaysEnds = 3;

inline constexpr std::size_t kPackedSessionsMax = 1 << 14;
inline constexpr std::size_t kPackedItemsMax = 1 << 14;
inline constexpr std::size_t kUnansweredMax = 4096;

namespace packing {

struct SessionPlace {
  SessionId session;
  Epoch epoch;
  ServerId primary;
  std::vector<ServerId> formers;
  std::uint64_t sequence = 0;
  CacheId cache;
};

struct ItemPlace {
  ItemKey key;
  Validator validator;
};

// A numbered batch that has no answer yet.
struct Unanswered {
  SessionId session;
  Epoch epoch;
  std::uint64_t sequence = 0;
};
using Ledger = std::deque<Unanswered>;

// Places that are taken in turn.
template <class Place>
class Ring {
 public:
  explicit Ring(std::size_t limit) : limit_(limit) {}
  // The number of the place that the next one takes.
  std::size_t next() const { return places_.size() < limit_ ? places_.size() : next_; }
  bool full() const { return places_.size() == limit_; }
  Place& take(Place place) {
    const std::size_t at = next();
    if (at == places_.size()) {
      places_.push_back(std::move(place));
    } else {
      places_[at] = std::move(place);
    }
    next_ = (at + 1) % limit_;
    return places_[at];
  }
  Place& operator[](std::size_t at) { return places_[at]; }
  std::size_t size() const { return places_.size(); }

 private:
  std::size_t limit_;
  std::size_t next_ = 0;
  std::vector<Place> places_;
};

}  // namespace packing

// One end of a connection: packs what is sent, unpacks what comes. Not for several threads.
class Packing {
 public:
  Packing();

  // --- what is sent ---
  // The version that the other end reads, and its greatest that it writes: 1 at least.
  void set_version(std::uint32_t version) { version_ = version; }
  // Adds the message to packed(); false: it is of a kind that is not packed.
  bool pack(const Message& message);
  // The operations so far, whole; they are then begun anew.
  std::string take_packed();
  bool has_packed() const { return !packed_.empty() || run_ > 0; }
  std::size_t packed_bytes() const { return packed_.size(); }

  // --- what comes ---
  // Begins with packed bytes, which must stay until next() has given nothing.
  void begin(std::string_view packed) { reader_ = CompactReader(packed); }
  // The next message of them, or nothing at their end. After an error the connection is of no use.
  Result<std::optional<Message>> next();

 private:
  struct Answers {
    std::uint64_t left = 0;  // of a run that is being unpacked
    MirrorAck::Answer answer{};
    std::optional<Epoch> epoch;
  };

  // Of whom the last fresh change spoke.
  struct Promised {
    std::uint64_t host = 0;
    std::uint64_t as_of_ms = 0;
  };

  void pack_batch(const MirrorBatch& batch);
  packing::SessionPlace& place_of(const MirrorBatch& batch, bool& is_new, std::size_t& at);
  void pack_change(const MirrorChange& change, packing::SessionPlace& session,
                   std::optional<std::uint64_t>& as_of_ms);
  void pack_fresh(const MirrorChange& change, std::optional<std::uint64_t> as_of_ms);
  bool pack_answer(const MirrorAck& ack);
  void end_run();

  bool unpack_batch(std::uint8_t flags, MirrorBatch& batch);
  packing::SessionPlace* session_place(bool is_new);
  bool unpack_head(packing::SessionPlace& place, MirrorBatch& batch);
  bool unpack_change(packing::SessionPlace& place, MirrorBatch& batch, MirrorChange& change);
  bool unpack_fresh(std::uint8_t flags, MirrorBatch& batch, MirrorChange& change);
  bool begin_answers(std::uint8_t flags);
  MirrorAck next_answer();

  // What we send: places by value, and which batches wait for answers.
  packing::Ring<packing::SessionPlace> sent_sessions_{kPackedSessionsMax};
  packing::Ring<packing::ItemPlace> sent_items_{kPackedItemsMax};
  std::unordered_map<SessionId, std::size_t> session_places_;
  std::unordered_map<ItemKey, std::size_t> item_places_;
  packing::Ledger sent_;
  Promised sent_promise_;
  std::uint32_t version_ = kPackingVersion;
  std::string packed_;
  std::uint64_t run_ = 0;  // batches of received_ answered, not yet packed

  // What comes.
  packing::Ring<packing::SessionPlace> come_sessions_{kPackedSessionsMax};
  packing::Ring<packing::ItemPlace> come_items_{kPackedItemsMax};
  packing::Ledger received_;
  Promised come_promise_;
  CompactReader reader_;
  Answers answers_;
};

}  // namespace tandem
