#include "tests/sim/invariants.h"

#include <fmt/format.h>

#include <variant>

namespace tandem::sim {

std::string to_text(const Epoch& epoch) {
  return fmt::format("{}@{:x}", epoch.counter, epoch.server.value);
}

std::string to_text(const SessionToken& token) {
  return fmt::format("[{:x} epoch {} primary {:x} alternate {:x} flags {}]", token.session.low,
                     to_text(token.epoch), token.primary.value, token.alternate.value, token.flags);
}

void Learned::message(const Node& node, const Message& message) {
  if (const auto* batch = std::get_if<MirrorBatch>(&message)) {
    epoch(batch->session, batch->epoch);
  } else if (const auto* ack = std::get_if<MirrorAck>(&message)) {
    // The others name the batch that this server wrote itself.
    if (ack->answer == MirrorAck::Answer::kStale) epoch(ack->session, ack->epoch);
  } else if (const auto* release = std::get_if<MirrorRelease>(&message)) {
    epoch(release->session, release->epoch);
  } else if (const auto* answer = std::get_if<SwapAnswer>(&message)) {
    epoch(answer->session, answer->epoch);
  } else if (const auto* exchange = std::get_if<SessionExchange>(&message)) {
    for (const SessionExchange::Entry& entry : exchange->entries) {
      // What is told of sessions that one has nothing to do with need not be kept.
      if (node.report(entry.session)) epoch(entry.session, entry.epoch);
    }
  }
}

void Invariants::violate(const std::string& what) {
  ++violations_;
  if (texts_.size() < kTextsMax) {
    const double seconds = static_cast<double>(heap_.now().time_since_epoch().count()) * 1e-9;
    texts_.push_back(fmt::format("{:.6f}: {}", seconds, what));
  }
}

void Invariants::on_message(const Node& node, const Learned& learned, const Message& message) {
  if (const auto* exchange = std::get_if<SessionExchange>(&message)) {
    for (const auto& entry : exchange->entries) on_session(node, learned, entry.session);
    return;
  }
  std::visit(
      [&](const auto& one) {
        if constexpr (requires { one.session; }) on_session(node, learned, one.session);
      },
      message);
}

void Invariants::on_session(const Node& node, const Learned& learned, SessionId session) {
  const auto report = node.report(session);
  if (!report) return;
  const auto text = [&] {
    return fmt::format("{:x} at {:x}, epoch {}, primary {:x}", session.low, node.self().value,
                       to_text(report->epoch), report->primary.value);
  };
  if (report->role == Role::kAlternate) {
    require(report->primary != node.self(), "its own alternate", text);
  } else {
    require(report->primary == node.self(), "primary of another's session", text);
    require(report->epoch.server == node.self(), "primary under another's epoch", text);
    require(report->alternate != node.self(), "primary = alternate", text);
    require(report->epoch >= learned.newest(session), "still primary, a newer epoch is learned",
            text);
  }
}

void Invariants::on_served(const Node& node, const Learned& learned, const SessionToken& request) {
  const auto report = node.report(request.session);
  if (!report || report->role == Role::kAlternate) {
    return violate("served without being primary: " + to_text(request));
  }
  if (report->epoch < request.epoch) {
    violate(fmt::format("served at {}, older than {}", to_text(report->epoch), to_text(request)));
  }
  if (report->epoch < learned.newest(request.session)) {
    violate(fmt::format("served at {} after learning of {}: {}", to_text(report->epoch),
                        to_text(learned.newest(request.session)), to_text(request)));
  }
}

void Invariants::on_token(const Node& node, const Learned& learned, const SessionToken& request,
                          const SessionToken& token) {
  const auto both = [&] { return to_text(request) + " -> " + to_text(token); };
  require(token.session == request.session, "a token of another session", both);
  require(token.primary == node.self(), "a token that names another primary", both);
  require(token.primary == token.epoch.server, "an epoch of another server", both);
  require(token.primary != token.alternate, "primary = alternate", both);
  require(token.flags == kNoFlags, "a client's token with flags", both);
  require(token.epoch >= request.epoch, "the epoch goes back", both);
  // One that comes to who has the epoch already (a referral took that one for dead) takes nothing.
  const bool takes = (request.flags & kTakeover) != 0 && request.epoch.server != node.self();
  require(!takes || token.epoch > request.epoch, "a takeover that does not raise the epoch", both);
  require(token.epoch >= learned.newest(token.session), "a token older than what was learned",
          both);
}

void Invariants::on_referral(const Node& node, const SessionToken& request,
                             const SessionToken& refer) {
  const auto both = [&] { return to_text(request) + " -> " + to_text(refer); };
  require(refer.primary && refer.primary != node.self(), "referred to itself", both);
  require(refer.flags != kNoFlags, "a referral without a flag", both);
  require((request.flags & kMustServe) == 0, "referred what must be served", both);
  require(refer.epoch >= request.epoch, "a referral that forgets an epoch", both);
}

void Invariants::on_guest(const Node& node, const SessionToken& request,
                          const SessionToken& token) {
  const auto both = [&] { return to_text(request) + " -> " + to_text(token); };
  const auto report = node.report(request.session);
  require(!report || report->role == Role::kAlternate, "a guest of whom it serves", both);
  require((request.flags & kMustServe) != 0, "a guest who could be referred", both);
  require(token.session == request.session, "a token of another session", both);
  require(token.flags == kNoFlags, "a client's token with flags", both);
  require(token.epoch >= request.epoch, "the epoch goes back", both);
}

void Invariants::on_client_token(const SessionToken& before, const SessionToken& after) {
  require(before.session == after.session && after.epoch >= before.epoch,
          "a client's epoch goes back", [&] { return to_text(before) + " -> " + to_text(after); });
}

void Invariants::on_reuse(bool announced, std::uint64_t held, std::uint64_t retrieved) {
  require(announced, "use yours, without an announcement");
  require(held == retrieved, "use yours, but it is another version",
          [&] { return fmt::format("it holds {} of {}", held, retrieved); });
}

void Invariants::on_bounds(const Node& node, const NodeOptions& options) {
  const NodeGauges gauges = node.gauges();
  const MirrorOptions& mirror = options.mirror;
  const std::size_t links = gauges.links;
  require(gauges.sessions_primary + gauges.sessions_alternate <= options.sessions_max,
          "more sessions than the bound");
  require(gauges.sessions_provisional <= options.provisional_max,
          "more provisional sessions than the bound");
  require(gauges.notes <= options.notes_max, "more notes than the bound");
  require(gauges.mirror_bytes <= mirror.reference_bytes_max, "more mirror bytes than the bound");
  require(gauges.content_bytes <= mirror.content_bytes_max, "more content bytes than the bound");
  require(gauges.lag_batches <= links * mirror.window_batches_max, "more batches than the windows");
  const std::uint64_t batch =
      mirror.batch_bytes_max + mirror.content_sent_max + 64 * (mirror.batch_changes_max + 1);
  require(gauges.in_flight_bytes <= links * (mirror.window_bytes_max + batch),
          "more bytes in flight than the windows");
}

}  // namespace tandem::sim
