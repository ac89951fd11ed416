#include <algorithm>
#include <utility>

#include "common/wire/codec.h"
#include "common/wire/packing.h"
#include "common/wire/packing_flags.h"

namespace tandem {

using namespace packing;

Result<std::optional<Message>> Packing::next() {
  if (answers_.left > 0) return std::optional<Message>(next_answer());
  if (reader_.empty() && !reader_.failed()) return std::optional<Message>();
  const std::uint8_t flags = reader_.byte();
  const std::uint8_t kind = flags & kKindMask;
  if (kind == kAnswers && begin_answers(flags)) return std::optional<Message>(next_answer());
  if (kind == kNumberedBatch || kind == kUnnumberedBatch) {
    Message message;
    if (unpack_batch(flags, message.emplace<MirrorBatch>())) {
      return std::optional<Message>(std::move(message));
    }
  }
  reader_.fail();
  return fail(Error::peer("a packed message has a value that cannot be"));
}

bool Packing::unpack_batch(std::uint8_t flags, MirrorBatch& batch) {
  SessionPlace* place = session_place((flags & kNewSession) != 0);
  if (place == nullptr) return false;
  const bool head = (flags & kHead) != 0;
  if ((flags & kNewSession) != 0 && !head) return false;
  if (head && !unpack_head(*place, batch)) return false;
  place->sequence = (flags & kNumber) != 0 ? reader_.varint() : place->sequence + 1;
  const bool one = (flags & kOneChange) != 0;
  const std::uint64_t changes = one ? 1 : reader_.varint(kFrameChangesMax);
  if (reader_.failed() || place->sequence == 0) return false;
  batch.session = place->session;
  batch.epoch = place->epoch;
  batch.primary = place->primary;
  batch.formers = place->formers;
  batch.sequence = place->sequence;
  batch.snapshot = (flags & kSnapshot) != 0;
  batch.urgent = (flags & kUrgent) != 0;
  if (version_ < kPackingSaysEnds) batch.ends = batch.snapshot;
  for (std::uint64_t i = 0; i < changes; ++i) {
    if (!unpack_change(*place, batch, batch.changes.emplace_back())) return false;
  }
  if ((flags & kKindMask) == kUnnumberedBatch) return true;
  if (received_.size() >= kUnansweredMax) return false;
  received_.push_back({batch.session, batch.epoch, batch.sequence});
  return true;
}

SessionPlace* Packing::session_place(bool is_new) {
  if (!is_new) {
    const std::uint64_t at = reader_.varint(kPackedSessionsMax);
    return reader_.failed() || at >= come_sessions_.size() ? nullptr : &come_sessions_[at];
  }
  SessionPlace place;
  place.session.high = reader_.fixed<8>();
  place.session.low = reader_.fixed<8>();
  if (!place.session) return nullptr;  // also if the bytes have ended
  return &come_sessions_.take(std::move(place));
}

bool Packing::unpack_head(SessionPlace& place, MirrorBatch& batch) {
  place.epoch.counter = static_cast<std::uint32_t>(reader_.varint(~std::uint32_t{0}));
  place.epoch.server.value = static_cast<std::uint32_t>(reader_.fixed<4>());
  const std::uint8_t formers = reader_.byte();
  place.primary = place.epoch.server;
  if ((formers & kOtherPrimary) != 0) {
    place.primary.value = static_cast<std::uint32_t>(reader_.fixed<4>());
  }
  batch.ends = (formers & kEnds) != 0;
  const std::size_t count = formers & ~(kOtherPrimary | kEnds);
  if (count > MirrorBatch::kFormersMax) return false;
  place.formers.clear();
  for (std::size_t i = 0; i < count; ++i) {
    place.formers.push_back(ServerId{static_cast<std::uint32_t>(reader_.fixed<4>())});
  }
  return !reader_.failed() && place.primary;
}

bool Packing::unpack_change(SessionPlace& place, MirrorBatch& batch, MirrorChange& change) {
  const std::uint8_t flags = reader_.byte();
  change.evicted = (flags & kEvicted) != 0;
  if ((flags & kCache) != 0) place.cache.value = reader_.fixed<8>();
  change.cache = place.cache;
  const bool new_key = (flags & kNewKey) != 0, validator = (flags & kValidator) != 0;
  const bool digest = (flags & kDigest) != 0;
  // A new item has a validator, an evicted one none and is not fresh, and without one there is no
  // digest.
  const bool fresh = (flags & kFresh) != 0;
  const bool can_be = change.evicted ? !validator && !fresh : validator || !new_key;
  if (!can_be || (digest && !validator)) return false;
  ItemPlace* known = nullptr;
  if (new_key) {
    change.key.value = reader_.fixed<8>();
  } else {
    const std::uint64_t at = reader_.varint(kPackedItemsMax);
    if (reader_.failed() || at >= come_items_.size()) return false;
    known = &come_items_[at];
    change.key = known->key;
  }
  if (validator) {
    change.validator.crc = static_cast<std::uint32_t>(reader_.fixed<4>());
    change.validator.length = reader_.varint();
    change.validator.has_digest = digest;
    if (digest) {
      const std::string_view bytes = reader_.take(change.validator.digest.size());
      std::copy(bytes.begin(), bytes.end(), change.validator.digest.begin());
    }
  } else if (!change.evicted) {
    change.validator = known->validator;
  }
  if (!unpack_fresh(flags, batch, change) || !change.cache) return false;
  if (known == nullptr && validator) {
    come_items_.take({change.key, change.validator});
  } else if (validator) {
    known->validator = change.validator;
  }
  return true;
}

bool Packing::unpack_fresh(std::uint8_t flags, MirrorBatch& batch, MirrorChange& change) {
  const bool fresh = (flags & kFresh) != 0;
  if (!fresh) return (flags & (kHost | kAsOf)) == 0 && !reader_.failed();
  if ((flags & kHost) != 0) come_promise_.host = reader_.fixed<8>();
  if ((flags & kAsOf) != 0) batch.as_of_ms = come_promise_.as_of_ms += reader_.varint();
  change.host = come_promise_.host;
  change.fresh_s = static_cast<std::uint32_t>(reader_.varint(~std::uint32_t{0}));
  return !reader_.failed() && change.fresh_s > 0;
}

bool Packing::begin_answers(std::uint8_t flags) {
  const std::uint64_t skipped = (flags & kSkip) != 0 ? reader_.varint(kUnansweredMax) : 0;
  answers_.epoch.reset();
  if ((flags & kEpoch) != 0) {
    const auto counter = static_cast<std::uint32_t>(reader_.varint(~std::uint32_t{0}));
    answers_.epoch = Epoch{counter, ServerId{static_cast<std::uint32_t>(reader_.fixed<4>())}};
  }
  const std::uint64_t run = (flags & kRun) != 0 ? reader_.varint(kUnansweredMax) : 1;
  answers_.answer = static_cast<MirrorAck::Answer>(flags >> kAnswerShift & kAnswerMask);
  if (flags > kAnswerFlags || reader_.failed() || run == 0 || skipped + run > sent_.size()) {
    return false;
  }
  sent_.erase(sent_.begin(), sent_.begin() + static_cast<std::ptrdiff_t>(skipped));
  answers_.left = run;
  return true;
}

MirrorAck Packing::next_answer() {
  const Unanswered batch = sent_.front();
  sent_.pop_front();
  --answers_.left;
  return {batch.session, answers_.epoch.value_or(batch.epoch), batch.sequence, answers_.answer};
}

}  // namespace tandem
