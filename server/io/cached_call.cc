#include "server/io/cached_call.h"

#include <algorithm>
#include <utility>

#include "common/base/error.h"
#include "common/http/build.h"
#include "common/http/edit.h"
#include "server/core/cache_answer.h"

namespace tandem::server {
namespace {

// So much of a stored body is given in one piece: all of most items in one call, and not all of a
// large one to a client that reads slowly.
constexpr std::size_t kPieceBytes = 256 * 1024;
constexpr std::uint64_t kRetryAfterSeconds = 1;

// Of a text of our own or of a head that was parsed before.
template <class Head>
bool parse_again(std::string_view text, Head& head) {
  http::HeadParser parser({.start_line_bytes_max = text.size(),
                           .head_bytes_max = text.size(),
                           .fields_max = http::kFieldsMax});
  return parser.parse(text, head) == http::Progress::kDone;
}

}  // namespace

CachedCall::CachedCall(CachedSource& source, HttpRequest request, HttpCallHandler& handler)
    : source_(source), request_(std::move(request)), handler_(handler) {
  TANDEM_CHECK(parse_again(request_.head, head_));
}

CachedCall::~CachedCall() {
  if (gone_ != nullptr) *gone_ = true;
  if (scheduled_) source_.loop_.cancel_round_end(*this);
  if (waits_for_ != 0 && source_.waiting_.erase(ticket_) > 0) {
    source_.cache_.leave(waits_for_, ticket_);
  }
  if (flight_ != nullptr) flight_->leave();
  // Nobody knows what becomes of a write that is cut off.
  if (inner_ != nullptr && invalidates_) source_.cache_.on_passed(head_, nullptr);
}

// --- in ----------------------------------------------------------------------------------------

void CachedCall::begin() {
  ticket_ = ++source_.last_ticket_;
  Source& source = source_.source_;
  const DataCache::Asked asked{source_.loop_.now(), head_, source.version(), source.has_versions()};
  act(source_.cache_.on_request(asked, ticket_, attempt_));
}

void CachedCall::again(DataCache::Release release) {
  waits_for_ = 0;
  attempt_ = attempt_.after(release);
  begin();
}

void CachedCall::act(DataCache::Verdict verdict) {
  using Do = DataCache::Verdict::Do;
  outcome_ = verdict.outcome;
  const auto fly = [&](CachedCall* leader) {
    auto made = std::make_unique<CacheFlight>(source_, request_.head, verdict.flight, leader);
    CacheFlight& flight = *made;
    source_.flights_.emplace(&flight, std::move(made));
    if (leader != nullptr) flight_ = &flight;
    flight.start(verdict.stored.get());
  };
  switch (verdict.what) {
    case Do::kServe:
      if (verdict.flight != 0) fly(nullptr);
      return serve(std::move(verdict.stored), verdict.outcome);
    case Do::kFetch:
      return fly(this);
    case Do::kWait:
      waits_for_ = verdict.flight;
      source_.waiting_.emplace(ticket_, this);
      return;
    case Do::kGatewayTimeout:
      return refuse(504, "nothing is stored that may answer this\n");
    case Do::kUnavailable:
      return refuse(503, "the source does not answer\n");
    case Do::kPass:
      break;
  }
  invalidates_ = verdict.invalidates;
  pass();
}

// The head stays: head_ refers to it.
void CachedCall::pass() {
  HttpRequest request = std::move(request_);
  request_.head = request.head;
  head_.rebase(request_.head.data());
  inner_ = source_.source_.start(std::move(request), static_cast<HttpCallHandler&>(*this));
}

bool CachedCall::send_body(std::string_view bytes) {
  return inner_ == nullptr || inner_->send_body(bytes);
}

void CachedCall::end_body() {
  if (inner_ != nullptr) inner_->end_body();
}

void CachedCall::pause() {
  paused_ = true;
  if (inner_ != nullptr) inner_->pause();
}

void CachedCall::resume() {
  if (!std::exchange(paused_, false)) return;
  if (inner_ != nullptr) return inner_->resume();
  later();
}

// --- passed on ---------------------------------------------------------------------------------

void CachedCall::on_response(const http::ResponseHead& head, const http::Framing& framing) {
  if (std::exchange(invalidates_, false)) source_.cache_.on_passed(head_, &head);
  outcome_.forwarded_status = head.status();
  relay_head(head, framing, outcome_);
}

void CachedCall::on_failure(const HttpFailure& failure) {
  if (std::exchange(invalidates_, false)) source_.cache_.on_passed(head_, nullptr);
  handler_.on_failure(failure);
}

void CachedCall::relay_head(const http::ResponseHead& head, const http::Framing& framing,
                            const CacheOutcome& outcome) {
  head_given_ = true;
  if (framing.kind == http::BodyKind::kTunnel) return handler_.on_response(head, framing);
  http::HeadEdit edit;
  edit.begin(head);
  edit.add("Cache-Status", {cache_status(source_.name_, outcome)});
  std::string text;
  edit.append_to(text);
  http::ResponseHead longer;
  const bool parsed = parse_again(text, longer);  // else it has as many fields as there may be
  handler_.on_response(parsed ? longer : head, framing);
}

// --- read along --------------------------------------------------------------------------------

bool CachedCall::read_along(std::string_view gathered) {
  bool gone = false;
  gone_ = &gone;
  while (!paused_ && given_ < gathered.size()) {
    const std::string_view piece = gathered.substr(given_, kPieceBytes);
    given_ += piece.size();
    handler_.on_body(piece);
    if (gone) return false;
  }
  gone_ = nullptr;
  return given_ == gathered.size();
}

void CachedCall::finish(StoredResponse::Body body) {
  flight_ = nullptr;
  body_ = std::move(body);
  content_ = *body_;
  answering_ = true;
  deliver();
}

void CachedCall::fail(const HttpFailure& failure) {
  flight_ = nullptr;
  handler_.on_failure(failure);
}

void CachedCall::serve(Stored stored, const CacheOutcome& outcome) {
  flight_ = nullptr;
  stored_ = std::move(stored);
  outcome_ = outcome;
  answering_ = true;
  later();
}

// --- answered from here ------------------------------------------------------------------------

void CachedCall::refuse(int status, std::string_view why) {
  refused_ = status;
  refusal_ = why;
  answering_ = true;
  later();
}

void CachedCall::later() {
  if (std::exchange(scheduled_, true)) return;
  source_.loop_.at_round_end(*this);
}

void CachedCall::on_round_end() {
  scheduled_ = false;
  if (answering_) return deliver();
  if (flight_ != nullptr) flight_->resume();
}

void CachedCall::answer_head() {
  std::string text = std::exchange(source_.text_, {});
  if (stored_ != nullptr) {
    content_ =
        answer_from_stored(text, head_, *stored_, source_.loop_.now(), source_.name_, outcome_)
            .content;
  } else {
    text.clear();
    http::HeadBuilder builder(text);
    builder.status(refused_);
    builder.field("Content-Type", "text/plain; charset=utf-8");
    if (refused_ == 503) builder.field("Retry-After", kRetryAfterSeconds);
    builder.field("Content-Length", refusal_.size());
    builder.field("Cache-Status", cache_status(source_.name_, outcome_));
    builder.finish();
    content_ = head_.method() == http::Method::kHead ? std::string_view() : refusal_;
  }
  http::ResponseHead head;
  TANDEM_CHECK(parse_again(text, head));
  const auto framing = http::response_framing(head, head_.method(), false);
  TANDEM_CHECK(framing.has_value());
  head_given_ = true;
  CachedSource& source = source_;
  handler_.on_response(head, *framing);
  source.text_ = std::move(text);
}

void CachedCall::deliver() {
  bool gone = false;
  gone_ = &gone;
  if (!head_given_) {
    answer_head();
    if (gone) return;
  }
  if (!read_along(content_) || gone) return;
  answering_ = false;
  handler_.on_complete();
}

// --- a flight ----------------------------------------------------------------------------------

CacheFlight::CacheFlight(CachedSource& source, const std::string& request, DataCache::FlightId id,
                         CachedCall* leader)
    : source_(source), text_(request), id_(id), leader_(leader) {
  TANDEM_CHECK(parse_again(text_, head_));
}

void CacheFlight::start(const StoredResponse* validates) {
  HttpRequest request;
  request.head = fetch_head(head_, validates);
  request.method = http::Method::kGet;
  inner_ = source_.source_.start(std::move(request), static_cast<HttpCallHandler&>(*this));
}

void CacheFlight::leave() {
  leader_ = nullptr;
  if (mode_ == Mode::kRelay) return end();
  const bool wanted = mode_ == Mode::kDrain || source_.cache_.has_waiters(id_);
  if (ended_ || wanted) return;
  source_.cache_.on_cancelled(id_);
  end();
}

void CacheFlight::on_interim(const http::ResponseHead& head) {
  if (leader_ != nullptr) leader_->relay_interim(head);
}

void CacheFlight::on_response(const http::ResponseHead& head, const http::Framing& framing) {
  using Do = DataCache::Landing::Do;
  DataCache::Landing landing = source_.cache_.on_response(
      id_, source_.loop_.now(), source_.loop_.unix_now(), head_, head, framing);
  if (landing.what == Do::kAskAgain) return start(nullptr);
  switch (landing.what) {
    case Do::kServe:
      mode_ = Mode::kDrain;
      if (leader_ != nullptr) {
        std::exchange(leader_, nullptr)->serve(std::move(landing.stored), landing.outcome);
      }
      break;
    case Do::kCollect:
      mode_ = Mode::kCollect;
      if (framing.kind == http::BodyKind::kLength) body_.reserve(framing.length);
      break;
    case Do::kRelay:
      mode_ = Mode::kRelay;
      break;
    case Do::kAskAgain:
      break;
  }
  source_.release(landing.waiters);
  if (leader_ != nullptr) return leader_->relay_head(head, framing, landing.outcome);
  if (mode_ == Mode::kRelay) end();  // to nobody
}

void CacheFlight::on_body(std::string_view bytes) {
  if (ended_ || mode_ == Mode::kDrain) return;
  if (mode_ == Mode::kRelay) return relay(bytes);
  if (body_.size() + bytes.size() > source_.cache_.options().item_bytes_max) {
    outgrow();
    return ended_ ? void() : relay(bytes);
  }
  body_ += bytes;
  if (leader_ != nullptr) leader_->read_along(body_);
}

// It is too large to be stored after all; the leader has some of it and gets the rest.
void CacheFlight::outgrow() {
  mode_ = Mode::kRelay;
  source_.release(source_.cache_.on_too_large(id_, source_.loop_.now()));
  if (leader_ == nullptr) end();
}

// What the leader does not take is kept, and no more comes until it has.
void CacheFlight::relay(std::string_view bytes) {
  const bool direct = body_.empty();
  if (!direct) body_ += bytes;
  if (leader_ != nullptr && leader_->read_along(direct ? bytes : body_)) {
    leader_->restart_reading();
    body_.clear();
    return;
  }
  if (leader_ == nullptr || ended_) return;
  if (direct) body_ = bytes;
  inner_->pause();
}

void CacheFlight::resume() {
  if (leader_ == nullptr || ended_) return;
  if (!leader_->read_along(body_) || mode_ != Mode::kRelay || leader_ == nullptr) return;
  leader_->restart_reading();
  body_.clear();
  inner_->resume();
}

void CacheFlight::on_complete() {
  CachedCall* leader = std::exchange(leader_, nullptr);
  if (mode_ != Mode::kDrain) {
    const auto body = std::make_shared<const std::string>(std::move(body_));
    if (mode_ == Mode::kCollect) {
      source_.release(source_.cache_.on_complete(id_, head_, body));
    }
    if (leader != nullptr) leader->finish(body);
  }
  end();
}

void CacheFlight::on_failure(const HttpFailure& failure) {
  CachedCall* leader = std::exchange(leader_, nullptr);
  if (mode_ == Mode::kHead || mode_ == Mode::kCollect) {
    DataCache::Death death = source_.cache_.on_failure(id_, source_.loop_.now(), head_);
    source_.release(death.waiters);
    if (leader != nullptr && mode_ == Mode::kHead && death.stored != nullptr) {
      leader->serve(std::move(death.stored), death.outcome);
      leader = nullptr;
    }
  }
  if (leader != nullptr) leader->fail(failure);
  end();
}

void CacheFlight::end() {
  if (std::exchange(ended_, true)) return;
  inner_.reset();
  source_.remove(*this);
}

}  // namespace tandem::server
