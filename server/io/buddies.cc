#include "server/io/buddies.h"

#include <utility>

#include "common/base/log.h"

namespace tandem::server {
namespace {

constexpr Duration kCutOffGap = 30s;  // between two log lines that say so

std::string_view text_of(Seen seen) {
  switch (seen) {
    case Seen::kUnknown:
      break;
    case Seen::kClosed:
      return "its connection ended";
    case Seen::kSilent:
      return "it does not answer";
    case Seen::kUnreachable:
      return "no connection to it can be made";
    case Seen::kHostSilent:
      return "neither it nor its host answers";
    case Seen::kHostAnswers:
      return "it does not answer, though its host does";
  }
  return "it looks dead";
}

}  // namespace

Buddies::Buddies(EventLoop& loop, BuddiesOptions options)
    : loop_(loop),
      options_(std::move(options)),
      watch_(ServerId::of(options_.name), {options_.interval, options_.icmp}),
      timer_(loop, [this] {
        watch_.on_deadline(loop_.now(), out_);
        settle();
      }) {}

Result<void> Buddies::open() {
  if (!options_.icmp) return {};
  auto opened = IcmpProbe::open(loop_, [this](ServerId of) { watch_.on_host_answer(of); });
  if (!opened) return fail(opened.error());
  icmp_ = std::move(*opened);
  return {};
}

void Buddies::on_view(const ViewPtr& view) {
  view_ = view;
  Neighbourhood around = neighbourhood_of(ServerId::of(options_.name), *view);
  for (Neighbourhood::Buddy& buddy : around.buddies) buddy.linked = linked_.contains(buddy.id);
  watch_.set_neighbourhood(loop_.now(), around, out_);
  settle();
}

void Buddies::on_peer_linked(const Hello& hello, const SocketAddress& address) {
  const ServerId peer = ServerId::of(hello.name);
  linked_[peer] = address;
  watch_.on_channel_up(loop_.now(), peer, out_);
  settle();
}

void Buddies::on_peer_message(ServerId from, const Message& message) {
  watch_.on_message(loop_.now(), from, message, out_);
  settle();
}

void Buddies::on_peer_unlinked(ServerId peer) {
  linked_.erase(peer);
  watch_.on_channel_down(loop_.now(), peer, out_);
  settle();
}

void Buddies::on_balancer_message(const Message& message) {
  watch_.on_message(loop_.now(), BuddyWatch::kBalancers, message, out_);
  settle();
}

std::vector<Buddies::Heard> Buddies::heard() {
  std::vector<Heard> result;
  for (const BuddyWatch::LinkReport& link : watch_.links()) {
    const Duration ago = loop_.now() - link.heard;
    result.push_back({name_of(link.buddy), link.state, static_cast<std::uint64_t>(ago / 1ms)});
  }
  return result;
}

void Buddies::settle() {
  if (!out_.empty()) {
    for (const auto& envelope : out_.take()) carry(envelope);
    say_self_suspicion();
  }
  for (const ServerId buddy : watch_.take_host_checks()) {
    const auto linked = linked_.find(buddy);
    if (icmp_ != nullptr && linked != linked_.end()) icmp_->ask(buddy, linked->second);
  }
  const Instant next = watch_.next_deadline();
  if (next != timer_.deadline()) timer_.set(next);
}

void Buddies::carry(const BuddyWatch::Out::Envelope& envelope) {
  if (const auto* report = std::get_if<FailureReport>(&envelope.message)) {
    log::warn("{} is reported: {}", name_of(report->suspect), text_of(report->seen));
  }
  if (envelope.to == BuddyWatch::kBalancers) {
    if (balancers_ != nullptr) balancers_->tell_all(envelope.message);
  } else if (peers_ != nullptr) {
    peers_->send(envelope.to, envelope.message);
  }
}

void Buddies::say_self_suspicion() {
  const BuddyWatch::Counters& counters = watch_.counters();
  if (std::exchange(told_late_, counters.self_late) != counters.self_late) {
    log::warn("this process was stopped or starved: its watch of others begins anew");
  }
  if (std::exchange(told_cut_off_, counters.self_cut_off) == counters.self_cut_off) return;
  if (cut_off_told_ != Instant{} && loop_.now() - cut_off_told_ < kCutOffGap) return;
  cut_off_told_ = loop_.now();
  log::warn("no buddy answers: this server may be cut off, and accuses nobody yet");
}

const std::string& Buddies::name_of(ServerId server) const {
  static const std::string nobody = "a server that is not known";
  const ServerRecord* record = view_ == nullptr ? nullptr : view_->find(server);
  return record == nullptr ? nobody : record->name;
}

}  // namespace tandem::server
