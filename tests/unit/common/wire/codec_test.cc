#include "common/wire/codec.h"

#include <gtest/gtest.h>

#include "common/base/random.h"

namespace tandem {
namespace {

// Makes any value of any message, within what the wire allows.
class Maker {
 public:
  explicit Maker(std::uint64_t seed) : random_(seed) {}

  std::string text() { return std::string(random_.below(20), static_cast<char>('a' + below(26))); }
  std::string name() { return "n" + text(); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(random_.next()); }
  std::uint64_t u64() { return random_.next() >> random_.below(64); }
  bool flip() { return random_.chance(0.5); }
  std::size_t below(std::size_t bound) { return random_.below(bound); }
  SessionId session() { return {random_.next(), random_.next() | 1}; }
  Epoch epoch() { return {u32(), ServerId{u32()}}; }
  Status status() { return {u64(), u32(), u32(), u32(), u32(), flip(), u32(), u32()}; }
  Validator validator() { return Validator::of(text(), flip()); }

  ServerRecord server() {
    const std::string named = name();
    return {.id = ServerId::of(named),
            .name = named,
            .kind = flip() ? ServerKind::kPlain : ServerKind::kTandem,
            .data_address = text(),
            .tls_address = text(),
            .peer_address = text(),
            .zone = text(),
            .group = text(),
            .incarnation = u64(),
            .online = flip(),
            .left = flip(),
            .status = status(),
            .first_buddy = ServerId{u32()},
            .second_buddy = ServerId{u32()}};
  }
  ViewId view_id() { return {u64(), u64()}; }
  Content content() {
    std::string bytes = text();
    const Validator validator = Validator::of(bytes, flip());
    if (flip()) return {validator, nullptr};
    return {validator, std::make_shared<const std::string>(std::move(bytes))};
  }
  MirrorChange change() {
    const bool evicted = flip(), fresh = !evicted && flip();
    return {CacheId{u64() | 1},    ItemKey{u64()},   evicted, evicted ? Validator{} : validator(),
            fresh ? u32() | 1 : 0, fresh ? u64() : 0};
  }
  SessionDigest::Range range() {
    const auto depth = static_cast<std::uint32_t>(below(SessionDigest::kDepthMax + 1));
    return {depth, u32() & ((1U << (4 * depth)) - 1), u64(), flip()};
  }
  template <class Make>
  auto many(Make make) {
    std::vector<decltype(make())> all;
    for (std::size_t count = below(5); count > 0; --count) all.push_back(make());
    return all;
  }

  std::vector<Validator> held() {
    std::vector<Validator> all = many([this] { return validator(); });
    all.resize(std::min(all.size(), ItemRequest::kHeldMax));
    return all;
  }

  MirrorBatch batch() {
    MirrorBatch made;
    made.session = session();
    made.epoch = epoch();
    made.primary = ServerId{u32() | 1};
    made.formers = many([this] { return ServerId{u32()}; });
    made.sequence = u64() | 1;
    made.snapshot = flip();
    made.urgent = flip();
    made.ends = flip();
    made.changes = many([this] { return change(); });
    for (const MirrorChange& change : made.changes) {
      if (change.fresh_s > 0) made.as_of_ms = u64();
    }
    return made;
  }

  Message message(std::size_t kind) {
    switch (kind) {
      case 0:
        return Hello{u32() | 1, name(), flip(), u64(), u32(), u64()};
      case 1:
        return Register{text(), text(), text(), text(), status(), text()};
      case 2:
        return Refused{text()};
      case 3:
        return StatusReport{status()};
      case 4:
        return ViewUpdate{{u64(), u32() | 1, many([this] { return server(); }), u64(), flip()}};
      case 5:
        return StatusUpdate{many([this] {
          return StatusUpdate::Entry{ServerId{u32() | 1}, status()};
        })};
      case 6:
        return Drain{flip()};
      case 7:
        return Leave{};
      case 8:
        return batch();
      case 9:
        return MirrorAck{session(), epoch(), u64(), static_cast<MirrorAck::Answer>(below(4))};
      case 10:
        return MirrorRelease{session(), epoch(), ServerId{u32()}, u64(), u64()};
      case 11:
        return SessionExchange{many([this] {
                                 return SessionExchange::Entry{session(), epoch(), flip()};
                               }),
                               flip(), u64()};
      case 12:
        return SwapCommand{session(), epoch(), u64(), flip()};
      case 13:
        return SwapAnswer{session(), epoch(), static_cast<SwapAnswer::Answer>(below(3)), u64()};
      case 14:
        return WhereIs{session()};
      case 15:
        return WhereAnswer{session(), static_cast<WhereAnswer::As>(below(4)), epoch(),
                           ServerId{u32()}, u32()};
      case 16:
        return SessionDigest{many([this] { return range(); }), flip(), flip(), u64()};
      case 17:
        return MailAck{u64() | 1};
      case 18:
        return Backing{many([this] { return Backing::Entry{ServerId{u32()}, u32()}; })};
      case 19:
        return SessionQuery{u64(), session()};
      case 20:
        return account();
      case 21:
        return MirrorWant{u64(), many([this] { return validator(); })};
      case 22:
        return MirrorContents{u64(), many([this] { return content(); }), flip()};
      case 23:
        return FailureReport{ServerId{u32() | 1}, u64(), static_cast<Seen>(below(6))};
      case 24:
        return Look{u64(), ServerId{u32() | 1}, text()};
      case 25:
        return Looked{u64(), ServerId{u32() | 1}, flip()};
      case 26:
        return Ping{u64()};
      case 27:
        return Pong{u64(), u64()};
      case 28:
        return Suspect{ServerId{u32() | 1}, u64(), static_cast<Seen>(below(6))};
      case 29:
        return ViewDelta{view_id(),
                         view_id(),
                         u32() | 1,
                         flip(),
                         many([this] { return server(); }),
                         many([this] { return ServerId{u32()}; })};
      case 30:
        return ViewRequest{};
      case 31:
        return Follow{view_id()};
      case 32:
        return FollowAck{view_id()};
      case 33:
        return PromiseNews{u64(), many([this] { return ItemKey{u64()}; }), flip()};
      case 34:
        return Invalidate{u64(), u64(), many([this] { return ItemKey{u64()}; })};
      case 35:
        return Invalidated{u64()};
      case 36:
        return LeaseAsk{u64(), u64()};
      case 37:
        return LeaseGrant{u64(), u64(), u32(), u64()};
      default:
        return item_message(kind);
    }
  }

  Message item_message(std::size_t kind) {
    switch (kind) {
      case 38:
        return ItemRequest{u64() | 1, u32(), text(), flip(), flip(), held(), u64()};
      case 39: {
        const bool same = flip();
        return ItemResponse{u64() | 1, text(), same, same ? validator() : Validator{}};
      }
      case 40:
        return ItemBody{u64() | 1, flip(), text(), flip()};
      case 41:
        return ItemCredit{u64(), flip(), u32()};
      default:
        return ItemEnd{u64() | 1,
                       flip(),
                       static_cast<ItemEnd::Why>(below(3)),
                       static_cast<std::uint32_t>(below(ItemEnd::kFailuresMax)),
                       flip(),
                       text(),
                       u64()};
    }
  }

  SessionAccount account() {
    SessionAccount account;
    account.number = u64();
    account.session = session();
    account.as = static_cast<SessionAccount::As>(below(5));
    account.epoch = epoch();
    account.primary = ServerId{u32()};
    account.alternate = ServerId{u32()};
    account.came = static_cast<SessionAccount::Came>(below(5));
    account.since_ms = u64();
    account.idle_ms = u64();
    account.items = u64();
    account.digest_high = u64();
    account.digest_low = u64();
    account.complete = flip();
    account.behind = u64();
    return account;
  }

 private:
  Random random_;
};

std::string frame_of(const Message& message) {
  std::string bytes;
  EXPECT_TRUE(encode(message, bytes));
  return bytes;
}

std::string framed(std::string_view envelope) {
  std::string bytes = {'\0', '\0', static_cast<char>(envelope.size() >> 8),
                       static_cast<char>(envelope.size())};
  return bytes.append(envelope);
}

MirrorBatch empty_batch() {
  MirrorBatch batch;
  batch.session = {1, 1};
  batch.epoch = {9, ServerId{9}};
  batch.primary = ServerId{1};
  batch.sequence = 1;
  return batch;
}

TEST(Codec, EveryMessageComesBackAsItWas) {
  static_assert(std::variant_size_v<Message> == 43);  // a new one needs a case in Maker::message
  for (std::size_t kind = 0; kind < std::variant_size_v<Message>; ++kind) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      const Message message = Maker(seed).message(kind);
      ASSERT_EQ(message.index(), kind);
      FrameReader reader;
      reader.feed(frame_of(message));
      const auto read = reader.next();
      ASSERT_TRUE(read && *read) << kind << " " << seed;
      EXPECT_EQ(**read, message) << kind << " " << seed;
      EXPECT_EQ(reader.buffered_bytes(), 0u);
    }
  }
}

TEST(FrameReader, PutsFramesTogetherHoweverTheyAreCut) {
  std::string bytes;
  std::vector<Message> sent;
  for (std::size_t kind = 0; kind < std::variant_size_v<Message>; ++kind) {
    sent.push_back(Maker(7).message(kind));
    ASSERT_TRUE(encode(sent.back(), bytes));
  }
  for (const std::size_t piece : {1u, 2u, 3u, 5u, 64u, 100000u}) {
    FrameReader reader;
    std::vector<Message> got;
    for (std::size_t begin = 0; begin < bytes.size(); begin += piece) {
      reader.feed(std::string_view(bytes).substr(begin, piece));
      for (;;) {
        auto read = reader.next();
        ASSERT_TRUE(read);
        if (!*read) break;
        got.push_back(std::move(**read));
      }
    }
    EXPECT_EQ(got, sent) << piece;
  }
}

TEST(FrameReader, SkipsKindsAndFieldsFromTheFuture) {
  FrameReader reader;
  reader.feed(
      framed("\xa2\x1f\x03"
             "abc"));                                    // field 500, of an unknown body
  reader.feed(framed("\x3a\x06\x08\x01\xa2\x1f\x01x"));  // Drain with a field 500 of its own
  const auto read = reader.next();
  ASSERT_TRUE(read && *read);
  EXPECT_EQ(**read, Message(Drain{true}));
  EXPECT_EQ(reader.skipped(), 1u);
}

TEST(FrameReader, RefusesGarbage) {
  FrameReader not_protobuf;
  not_protobuf.feed(framed("\x0a\x7f"));
  EXPECT_FALSE(not_protobuf.next());
  FrameReader too_long;
  too_long.feed("GET / HTTP/1.1\r\n");
  const auto read = too_long.next();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message, "a frame of 1195725856 bytes is over the limit of 4194304");
}

// The packed form cannot say it, and a message is the same whichever form it came in.
TEST(FrameReader, DropsWhatMeansNothing) {
  Maker maker(1);
  MirrorBatch sent;
  sent.session = maker.session();
  sent.epoch = {1, ServerId{1}};
  sent.primary = ServerId{1};
  sent.sequence = 1;
  sent.as_of_ms = 5;
  sent.changes = {{CacheId{1}, ItemKey{1}, true, {}, 60, 7},
                  {CacheId{1}, ItemKey{2}, false, Validator::of("a"), 0, 7}};
  std::string bytes;
  ASSERT_TRUE(encode(sent, bytes));
  FrameReader reader;
  reader.feed(bytes);
  const auto come = reader.next();
  ASSERT_TRUE(come && *come);
  MirrorBatch kept = sent;
  kept.as_of_ms = 0;
  kept.changes[0].fresh_s = 0;
  kept.changes[0].host = kept.changes[1].host = 0;
  EXPECT_EQ(std::get<MirrorBatch>(**come), kept);
}

TEST(FrameReader, RefusesWhatCannotBe) {
  const auto refused = [](const Message& message) {
    FrameReader reader;
    reader.feed(frame_of(message));
    return !reader.next();
  };
  const std::string endless(kWireTextBytesMax + 1, 'x');
  EXPECT_TRUE(refused(Hello{.name = ""}));
  EXPECT_TRUE(refused(Hello{.name = endless}));
  EXPECT_TRUE(refused(Hello{.protocol = 0, .name = "a"}));
  EXPECT_TRUE(refused(Refused{endless}));
  EXPECT_TRUE(refused(ViewUpdate{{.version = 1, .balancers = 0, .servers = {}}}));
  EXPECT_TRUE(refused(ViewDelta{.from = {}, .to = {}, .balancers = 0}));
  EXPECT_FALSE(refused(ViewDelta{.gone = std::vector<ServerId>(kWireServersMax)}));
  EXPECT_TRUE(refused(ViewDelta{.gone = std::vector<ServerId>(kWireServersMax + 1)}));
  EXPECT_TRUE(refused(StatusUpdate{{{ServerId{0}, {}}}}));
  EXPECT_TRUE(refused(MirrorRelease{}));  // of no session
  EXPECT_TRUE(refused(MailAck{}));        // of no letter
  MirrorBatch batch = empty_batch();
  EXPECT_FALSE(refused(batch));
  batch.sequence = 0;
  EXPECT_TRUE(refused(batch));
  MirrorContents contents;
  contents.contents = {{Validator::of("abc"), std::make_shared<const std::string>("ab")}};
  EXPECT_TRUE(refused(contents));  // a content whose length is not the one that it claims
  EXPECT_FALSE(refused(MirrorWant{1, {MirrorWant::kValidatorsMax, Validator{}}}));
  EXPECT_TRUE(refused(MirrorWant{1, {MirrorWant::kValidatorsMax + 1, Validator{}}}));
  SessionExchange exchange;
  exchange.entries.resize(SessionExchange::kEntriesMax + 1, {{1, 1}, {}, false});
  EXPECT_TRUE(refused(exchange));
  exchange.entries.pop_back();
  EXPECT_FALSE(refused(exchange));
  EXPECT_TRUE(refused(MirrorAck{{1, 1}, {}, 1, static_cast<MirrorAck::Answer>(4)}));
  EXPECT_TRUE(refused(SwapAnswer{{1, 1}, {}, static_cast<SwapAnswer::Answer>(3), 1}));
  EXPECT_TRUE(refused(SwapCommand{}));    // of no session
  EXPECT_TRUE(refused(FailureReport{}));  // of nobody
  EXPECT_TRUE(refused(Suspect{}));
  EXPECT_TRUE(refused(ItemRequest{}));  // without a number
  EXPECT_FALSE(refused(ItemRequest{.number = 1, .head = std::string(kItemHeadBytesMax, 'x')}));
  EXPECT_TRUE(refused(ItemRequest{.number = 1, .head = std::string(kItemHeadBytesMax + 1, 'x')}));
  EXPECT_TRUE(refused(ItemRequest{.number = 1, .held = {ItemRequest::kHeldMax + 1, Validator{}}}));
  EXPECT_TRUE(refused(ItemResponse{}));
  EXPECT_TRUE(refused(ItemResponse{.number = 1, .head = std::string(kItemHeadBytesMax + 1, 'x')}));
  EXPECT_FALSE(refused(ItemBody{.number = 1, .bytes = std::string(kItemBodyBytesMax, 'x')}));
  EXPECT_TRUE(refused(ItemBody{.number = 1, .bytes = std::string(kItemBodyBytesMax + 1, 'x')}));
  EXPECT_TRUE(refused(ItemEnd{.number = 1, .why = static_cast<ItemEnd::Why>(3)}));
  EXPECT_TRUE(refused(ItemEnd{.number = 1, .failure = ItemEnd::kFailuresMax}));
  EXPECT_TRUE(refused(ItemEnd{.number = 1, .text = endless}));
  EXPECT_TRUE(refused(Look{}));
  EXPECT_TRUE(refused(Looked{}));
}

TEST(Codec, TheLargestMessagesFitAndALargerIsAnError) {
  MirrorContents contents;
  const auto half = std::make_shared<const std::string>(kFrameContentBytesMax / 2, 'x');
  const Validator validator = Validator::of(*half);
  contents.contents = {{validator, half}, {validator, half}};
  MirrorBatch batch = empty_batch();
  batch.changes.resize(kFrameChangesMax, {CacheId{~0ull}, ItemKey{~0ull}, false, validator});
  std::string bytes = "before";
  EXPECT_TRUE(encode(contents, bytes));
  EXPECT_TRUE(encode(batch, bytes));
  bytes = "before";
  contents.contents.insert(contents.contents.end(), 2, contents.contents.front());
  EXPECT_FALSE(encode(contents, bytes));
  EXPECT_EQ(bytes, "before");
}

}  // namespace
}  // namespace tandem
