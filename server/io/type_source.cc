#include "server/io/type_source.h"

#include <utility>

#include "common/base/log.h"
#include "common/http/head_parser.h"
#include "server/io/item_answer.h"
#include "server/io/item_ask.h"
#include "server/io/noted_call.h"

namespace tandem::server {
namespace {

// What is known of contents of items: two per item of a busy site, and a few hundred KiB.
constexpr std::size_t kSentMax = 8192;

std::string_view target_of(std::string_view head) {
  const std::size_t from = head.find(' ') + 1;
  return head.substr(from, head.find(' ', from) - from);
}

Ownership ownership_of(const TypeSourceOptions& options) {
  return Ownership(Types(options.rules, options.virtual_types), options.group);
}

}  // namespace

TypeSource::TypeSource(EventLoop& loop, Source& inner, ContentStore& contents,
                       TypeSourceOptions options)
    : loop_(loop),
      inner_(inner),
      contents_(contents),
      options_(std::move(options)),
      machine_(ServerId::of(options_.name), ownership_of(options_), options_.access),
      timer_(loop, [this] { on_timer(); }),
      sent_(kSentMax),
      noted_(options_.noted) {}

// Their calls may be asks, which are taken from our tables.
TypeSource::~TypeSource() {
  flow_.set_carrier(nullptr);
  answers_.clear();
}

// --- requests of this server --------------------------------------------------------------------

std::unique_ptr<SourceCall> TypeSource::start(HttpRequest request, HttpCallHandler& handler) {
  return start(std::move(request), handler, TypeAccess::Origin{});
}

std::unique_ptr<SourceCall> TypeSource::start(HttpRequest request, HttpCallHandler& handler,
                                              TypeAccess::Origin origin) {
  const bool can_be_asked = !request.upgrade && request.method != http::Method::kConnect &&
                            request.head.size() <= kItemHeadBytesMax;
  if (!can_be_asked) return inner_.start(std::move(request), handler);
  origin.write = !http::is_safe(request.method);
  const std::string_view target = target_of(request.head);
  const ItemKey item = ItemKey::of(target);
  if (origin.write) noted_.drop(item);
  const TypeId type = ownership().types().type_of(target);
  const bool to_note = origin.hops == 0 && !is_own(type);
  const bool plain = (to_note || noted_.has(item)) && read_plain(request);
  if (plain) {
    if (auto call = answer_noted(request.method, handler, false)) return call;
  }
  if (!plain || !to_note) return process(std::move(request), handler, origin);
  // Before the question: what changes while the answer is on its way is not taken for unchanged.
  const auto version = inner_.version();
  auto answer = version ? noted_.begin(plain_, {*version, ownership().epoch(type)}) : std::nullopt;
  if (!answer) return process(std::move(request), handler, origin);
  auto noting = std::make_unique<NotingCall>(*this, std::move(*answer), handler);
  noting->set(process(std::move(request), noting->handler(), origin));
  return noting;
}

bool TypeSource::is_own(TypeId type) const {
  const ServerId self = ServerId::of(options_.name);
  return ownership().owner(type) == self && ownership().acting(type) == self;
}

std::unique_ptr<SourceCall> TypeSource::process(HttpRequest request, HttpCallHandler& handler,
                                                const TypeAccess::Origin& origin) {
  TypeAccess::Request type;
  const TypeAccess::Step step = machine_.begin(loop_.now(), target_of(request.head), origin, type);
  std::unique_ptr<SourceCall> call;
  switch (step.as) {
    case TypeAccess::As::kAsk:
    case TypeAccess::As::kWait:
      call = std::make_unique<ItemAsk>(*this, std::move(request), handler, type, step);
      break;
    case TypeAccess::As::kOwn:
    case TypeAccess::As::kStandIn:
      call = inner_.start(std::move(request), handler);
      break;
    case TypeAccess::As::kOutdated:
      break;
    default:
      call = process_in_stead(std::move(request), handler);
  }
  settle();
  return call;
}

bool TypeSource::read_plain(const HttpRequest& request) {
  const bool may_be = request.method == http::Method::kGet || request.method == http::Method::kHead;
  if (!may_be || request.streams || !inner_.has_versions()) return false;
  http::HeadParser parser({.start_line_bytes_max = request.head.size(),
                           .head_bytes_max = request.head.size(),
                           .fields_max = http::kFieldsMax});
  return parser.parse(request.head, plain_) == http::Progress::kDone &&
         NotedAnswers::is_plain(plain_);
}

std::unique_ptr<SourceCall> TypeSource::answer_noted(http::Method method, HttpCallHandler& handler,
                                                     bool in_stead) {
  if (!noted_.has(ItemKey::of(plain_.path()))) return nullptr;
  const TypeId type = ownership().types().type_of(plain_.path());
  const NotedAnswer* answer = noted_.find(plain_, ownership().epoch(type), in_stead);
  if (answer == nullptr) return nullptr;
  ContentStore::Bytes content = contents_.find(answer->validator);
  if (!noted_.may_use(*answer, inner_.version(), content != nullptr)) return nullptr;
  return std::make_unique<NotedCall>(loop_, handler, method, noted_head(*answer, options_.name),
                                     std::move(content));
}

std::unique_ptr<SourceCall> TypeSource::process_in_stead(HttpRequest request,
                                                         HttpCallHandler& handler) {
  if (read_plain(request)) {
    if (auto call = answer_noted(request.method, handler, true)) return call;
  }
  return inner_.start(std::move(request), handler);
}

void TypeSource::invalidate(ItemKey item) {
  noted_.drop(item);
  inner_.invalidate(item);
}

std::uint64_t TypeSource::add(ItemAsk& ask) {
  asks_.emplace(++last_number_, &ask);
  return last_number_;
}

void TypeSource::remove(std::uint64_t number) {
  asks_.erase(number);
  deadlines_.erase(number);
}

void TypeSource::set_deadline(std::uint64_t number, Instant at) {
  deadlines_.set(number, at);
  if (deadlines_.next() < timer_.deadline()) timer_.set(deadlines_.next());
}

void TypeSource::on_timer() {
  while (const auto number = deadlines_.take_due(loop_.now())) {
    const auto ask = asks_.find(*number);
    if (ask != asks_.end()) ask->second->on_deadline();
  }
  timer_.set(deadlines_.next());
  settle();
}

void TypeSource::settle() {
  for (const FailureReport& report : machine_.take_reports()) {
    if (balancers_ != nullptr) balancers_->tell_all(report);
  }
  const std::vector<TypeId> forgotten = machine_.take_forgotten();
  if (forgotten.empty()) return;
  const Types& types = machine_.ownership().types();
  std::vector<bool> is_forgotten(types.size());
  for (const TypeId type : forgotten) is_forgotten[type.value] = true;
  inner_.forget([&](std::string_view target) { return is_forgotten[types.type_of(target).value]; });
}

void TypeSource::note_content(ItemKey item, const Validator& validator) {
  sent_[item.value % kSentMax] = {item, validator};
  if (coming_ && ItemKey::of(coming_->target) == item) {
    noted_.put(std::move(*std::exchange(coming_, std::nullopt)), validator);
  }
}

const TypeSource::SentContent* TypeSource::sent_content(ItemKey item) const {
  const SentContent& one = sent_[item.value % kSentMax];
  return one.item == item ? &one : nullptr;
}

// --- the others ---------------------------------------------------------------------------------

void TypeSource::on_view(const ViewPtr& view) {
  machine_.on_view(*view);
  wake_waiting();
  check_agreement();
  settle();
}

void TypeSource::wake_waiting() {
  std::vector<std::uint64_t> waiting;
  for (const auto& [number, ask] : asks_) {
    if (ask->waits()) waiting.push_back(number);
  }
  for (const std::uint64_t number : waiting) {
    const auto ask = asks_.find(number);
    if (ask != asks_.end()) ask->second->on_changed();
  }
}

void TypeSource::on_peer_linked(const Hello& peer, const SocketAddress&) {
  const ServerId id = ServerId::of(peer.name);
  flow_.on_link(id);
  machine_.on_linked(id, peer.types);
  lose(id);  // what was under way on a link that this one replaces
  wake_waiting();
  check_agreement();
  settle();
}

void TypeSource::on_peer_unlinked(ServerId peer) {
  flow_.on_link_lost(peer);
  machine_.on_unlinked(peer);
  lose(peer);
  check_agreement();
  settle();
}

void TypeSource::lose(ServerId peer) {
  std::vector<std::uint64_t> lost;
  for (const auto& [number, ask] : asks_) {
    if (ask->asked() == peer) lost.push_back(number);
  }
  for (const std::uint64_t number : lost) {
    const auto ask = asks_.find(number);
    if (ask != asks_.end()) ask->second->on_lost();
  }
  const auto from = answers_.lower_bound({peer, 0});
  auto to = from;
  while (to != answers_.end() && to->first.first == peer) loop_.dispose(std::move((to++)->second));
  answers_.erase(from, to);
  answers_for_.erase(peer);
}

// Whoever disagrees asks the wrong one, which asks on: slower, and not wrong.
void TypeSource::check_agreement() {
  std::vector<ServerId> now = machine_.disagreeing();
  if (now == disagreeing_) return;
  if (now.size() > disagreeing_.size()) {
    ++counts_.disagreements;
    log::error(
        "{} server(s) of group {} have other [[type]] rules or virtual_types than this one: let "
        "all have the same",
        now.size(), options_.group);
  }
  disagreeing_ = std::move(now);
}

void TypeSource::on_peer_message(ServerId from, const Message& message) {
  if (!is_of_items(message)) return;
  const auto asked = [&](std::uint64_t number) -> ItemAsk* {
    const auto ask = asks_.find(number);
    return ask != asks_.end() && ask->second->asked() == from ? ask->second : nullptr;
  };
  const auto answered = [&](std::uint64_t number) -> ItemAnswer* {
    const auto answer = answers_.find({from, number});
    return answer == answers_.end() ? nullptr : answer->second.get();
  };
  if (const auto* request = std::get_if<ItemRequest>(&message)) {
    answer(from, *request);
  } else if (const auto* response = std::get_if<ItemResponse>(&message)) {
    if (ItemAsk* ask = asked(response->number)) ask->on_response(*response);
  } else if (const auto* body = std::get_if<ItemBody>(&message)) {
    flow_.on_received(from, body->bytes.size());
    if (!body->by_asker) {
      if (ItemAsk* ask = asked(body->number)) ask->on_body(*body);
    } else if (ItemAnswer* answer = answered(body->number)) {
      answer->on_body_of_request(*body);
    }
  } else if (const auto* credit = std::get_if<ItemCredit>(&message)) {
    if (credit->number == 0) {
      flow_.on_link_credit(from, credit->bytes);
    } else if (!credit->by_asker) {
      if (ItemAsk* ask = asked(credit->number)) ask->on_credit(credit->bytes);
    } else if (ItemAnswer* answer = answered(credit->number)) {
      answer->on_credit(credit->bytes);
    }
  } else if (const auto* end = std::get_if<ItemEnd>(&message)) {
    if (!end->by_asker) {
      if (ItemAsk* ask = asked(end->number)) ask->on_end(*end);
    } else if (ItemAnswer* answer = answered(end->number)) {
      remove(*answer);
    }
  }
  settle();
}

void TypeSource::answer(ServerId from, const ItemRequest& request) {
  std::uint32_t& under_way = answers_for_[from];
  const AnswerId id{from, request.number};
  if (under_way >= options_.answers_max || answers_.contains(id)) {
    ++counts_.answers_refused;
    flow_.send(from, ItemEnd{.number = request.number, .why = ItemEnd::Why::kRefused});
    return;
  }
  ++under_way;
  ++counts_.answered;
  auto made = std::make_unique<ItemAnswer>(*this, from, request);
  ItemAnswer& started = *made;
  answers_.emplace(id, std::move(made));
  started.start();
}

void TypeSource::remove(ItemAnswer& answer) {
  const auto at = answers_.find(answer.id());
  if (at == answers_.end() || at->second.get() != &answer) return;
  --answers_for_[at->first.first];
  loop_.dispose(std::move(at->second));  // its call may be the caller
  answers_.erase(at);
}

std::vector<AdminSnapshot::Count> TypeSource::counts() const {
  const TypeAccess::Counters& machine = machine_.counters();
  const ServerId self = ServerId::of(options_.name);
  const Ownership& who = machine_.ownership();
  const NotedAnswers::Counters& noted = noted_.counters();
  return {
      {"types_own_total", "Requests for items of types that this server owns.", machine.own},
      {"types_stood_in_total", "Requests processed in the stead of an owner that is offline.",
       machine.stood_in},
      {"types_asked_total", "Requests that another server was asked to process.", machine.asked},
      {"types_asked_again_total", "Of them, those of which another had been asked before.",
       machine.asked_again},
      {"types_failed_total", "Requests processed here since asking failed.", machine.failed},
      {"types_busy_total",
       "Requests processed here since too many were under way, or the other refused.",
       machine.busy},
      {"types_nobody_else_total", "Requests processed here since nobody acts for the type.",
       machine.nobody_else},
      {"types_waited_total", "Requests that waited for a link, or for another view.",
       machine.waited},
      {"types_outdated_total",
       "Writes refused since they were sent before this server began to act.", machine.outdated},
      {"types_cut_total", "Requests that could not be asked or done again.", counts_.cut},
      {"types_reports_total", "Reports to the balancers, of servers that could not be asked.",
       machine.reports},
      {"types_forgotten_total", "Types of which all that was kept has been dropped.",
       machine.forgotten},
      {"types_answered_total", "Requests processed for other servers.", counts_.answered},
      {"types_answers_refused_total", "Requests of other servers over types.asks_max.",
       counts_.answers_refused},
      {"types_held_total", "Answers of others whose body was here already.", counts_.held},
      {"types_held_bytes_total", "Bytes of these bodies.", counts_.held_bytes},
      {"types_body_bytes_sent_total", "Bytes of bodies sent to other servers.", flow_.bytes_sent()},
      {"types_body_bytes_received_total", "Bytes of bodies received from other servers.",
       flow_.bytes_received()},
      {"types_disagreements_total", "Times that more servers of the group had other types.",
       counts_.disagreements},
      {"types_owned", "Types that this server owns.", who.owned_by(self)},
      {"types_acted_for", "Types for which it acts.", who.acted_for_by(self)},
      {"types_asks_under_way", "Requests that others are asked to process.", machine_.under_way()},
      {"types_asks_waiting", "Requests that wait for a link, or for another view.",
       machine_.waiting()},
      {"types_answers_under_way", "Requests processed for others.", answers_.size()},
      {"types_noted", "Answers of others that are noted.", noted_.size()},
      {"types_noted_bytes", "Bytes of them, without their contents.", noted_.bytes()},
      {"types_noted_dropped_total", "Noted answers dropped for want of room.", noted.dropped},
      {"types_noted_used_total", "Requests answered by a noted answer: nobody was asked.",
       noted.used},
      {"types_noted_stale_total", "Noted answers not used since the source had changed.",
       noted.stale},
      {"types_noted_unversioned_total",
       "Noted answers not used since the source did not tell its version.", noted.unversioned},
      {"types_noted_lacking_total", "Noted answers not used since no mirror held the content.",
       noted.lacking},
  };
}

}  // namespace tandem::server
