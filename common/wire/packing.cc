#include "common/wire/packing.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "common/wire/packing_flags.h"

namespace tandem {

using namespace packing;

Packing::Packing() = default;

bool Packing::pack(const Message& message) {
  if (const auto* ack = std::get_if<MirrorAck>(&message)) return pack_answer(*ack);
  const auto* batch = std::get_if<MirrorBatch>(&message);
  if (batch == nullptr) return false;
  end_run();
  pack_batch(*batch);
  return true;
}

std::string Packing::take_packed() {
  end_run();
  return std::exchange(packed_, {});
}

void Packing::pack_batch(const MirrorBatch& batch) {
  bool is_new = false;
  std::size_t at = 0;
  SessionPlace& place = place_of(batch, is_new, at);
  const bool numbered = sent_.size() < kUnansweredMax;
  const bool ends = batch.ends && version_ >= kPackingSaysEnds;
  const bool head = is_new || ends || place.epoch != batch.epoch ||
                    place.primary != batch.primary || place.formers != batch.formers;
  const bool number = batch.sequence != place.sequence + 1;
  std::uint8_t flags = numbered ? kNumberedBatch : kUnnumberedBatch;
  if (is_new) flags |= kNewSession;
  if (head) flags |= kHead;
  if (number) flags |= kNumber;
  if (batch.snapshot) flags |= kSnapshot;
  if (batch.urgent) flags |= kUrgent;
  if (batch.changes.size() == 1) flags |= kOneChange;
  packed_.push_back(static_cast<char>(flags));
  if (is_new) {
    put_fixed<8>(packed_, batch.session.high);
    put_fixed<8>(packed_, batch.session.low);
  } else {
    put_varint(packed_, at);
  }
  if (head) {
    const bool primary = batch.primary != batch.epoch.server;
    put_varint(packed_, batch.epoch.counter);
    put_fixed<4>(packed_, batch.epoch.server.value);
    packed_.push_back(static_cast<char>(batch.formers.size() | (primary ? kOtherPrimary : 0) |
                                        (ends ? kEnds : 0)));
    if (primary) put_fixed<4>(packed_, batch.primary.value);
    for (const ServerId former : batch.formers) put_fixed<4>(packed_, former.value);
    place.epoch = batch.epoch;
    place.primary = batch.primary;
    place.formers = batch.formers;
  }
  if (number) put_varint(packed_, batch.sequence);
  place.sequence = batch.sequence;
  if (batch.changes.size() != 1) put_varint(packed_, batch.changes.size());
  std::optional<std::uint64_t> as_of_ms = batch.as_of_ms;
  for (const MirrorChange& change : batch.changes) pack_change(change, place, as_of_ms);
  if (numbered) sent_.push_back({batch.session, batch.epoch, batch.sequence});
}

SessionPlace& Packing::place_of(const MirrorBatch& batch, bool& is_new, std::size_t& at) {
  const auto found = session_places_.find(batch.session);
  is_new = found == session_places_.end();
  if (!is_new) {
    at = found->second;
    return sent_sessions_[at];
  }
  at = sent_sessions_.next();
  if (sent_sessions_.full()) session_places_.erase(sent_sessions_[at].session);
  session_places_.emplace(batch.session, at);
  SessionPlace place;
  place.session = batch.session;
  return sent_sessions_.take(std::move(place));
}

// `as_of_ms`: of the batch, until a change has told it.
void Packing::pack_change(const MirrorChange& change, SessionPlace& session,
                          std::optional<std::uint64_t>& as_of_ms) {
  const auto found = item_places_.find(change.key);
  const bool new_key = found == item_places_.end();
  const bool cache = change.cache != session.cache;
  const bool validator =
      !change.evicted && (new_key || sent_items_[found->second].validator != change.validator);
  const bool fresh = change.fresh_s > 0 && !change.evicted && version_ >= 2;
  std::uint8_t flags = 0;
  if (change.evicted) flags |= kEvicted;
  if (cache) flags |= kCache;
  if (new_key) flags |= kNewKey;
  if (validator) flags |= kValidator;
  if (validator && change.validator.has_digest) flags |= kDigest;
  if (fresh) flags |= kFresh;
  if (fresh && change.host != sent_promise_.host) flags |= kHost;
  if (fresh && as_of_ms) flags |= kAsOf;
  packed_.push_back(static_cast<char>(flags));
  if (cache) put_fixed<8>(packed_, change.cache.value);
  session.cache = change.cache;
  if (new_key) {
    put_fixed<8>(packed_, change.key.value);
  } else {
    put_varint(packed_, found->second);
  }
  if (validator) {
    put_fixed<4>(packed_, change.validator.crc);
    put_varint(packed_, change.validator.length);
    if (change.validator.has_digest) {
      packed_.append(change.validator.digest.begin(), change.validator.digest.end());
    }
  }
  if (fresh) pack_fresh(change, std::exchange(as_of_ms, std::nullopt));
  if (!validator) return;
  if (!new_key) {
    sent_items_[found->second].validator = change.validator;
    return;
  }
  const std::size_t at = sent_items_.next();
  if (sent_items_.full()) item_places_.erase(sent_items_[at].key);
  item_places_.emplace(change.key, at);
  sent_items_.take({change.key, change.validator});
}

void Packing::pack_fresh(const MirrorChange& change, std::optional<std::uint64_t> as_of_ms) {
  if (change.host != sent_promise_.host) put_fixed<8>(packed_, change.host);
  sent_promise_.host = change.host;
  if (as_of_ms) {
    put_varint(packed_, *as_of_ms - std::exchange(sent_promise_.as_of_ms, *as_of_ms));
  }
  put_varint(packed_, change.fresh_s);
}

// An answer to a batch that came packed and numbered; any other goes as a message.
bool Packing::pack_answer(const MirrorAck& ack) {
  const auto first = received_.begin() + static_cast<std::ptrdiff_t>(run_);
  const auto found = std::find_if(first, received_.end(), [&ack](const Unanswered& batch) {
    return batch.session == ack.session && batch.sequence == ack.sequence;
  });
  if (found == received_.end()) return false;
  const auto skipped = static_cast<std::uint64_t>(found - first);
  const bool epoch = found->epoch != ack.epoch;
  if (skipped == 0 && !epoch && ack.answer == MirrorAck::Answer::kApplied) {
    ++run_;
    return true;
  }
  received_.erase(first, found + 1);
  end_run();
  std::uint8_t flags = kAnswers;
  flags |= static_cast<std::uint8_t>(static_cast<unsigned>(ack.answer) << kAnswerShift);
  if (skipped > 0) flags |= kSkip;
  if (epoch) flags |= kEpoch;
  packed_.push_back(static_cast<char>(flags));
  if (skipped > 0) put_varint(packed_, skipped);
  if (epoch) {
    put_varint(packed_, ack.epoch.counter);
    put_fixed<4>(packed_, ack.epoch.server.value);
  }
  return true;
}

void Packing::end_run() {
  if (run_ == 0) return;
  received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(run_));
  packed_.push_back(static_cast<char>(run_ > 1 ? kAnswers | kRun : kAnswers));
  if (run_ > 1) put_varint(packed_, run_);
  run_ = 0;
}

}  // namespace tandem
