#include "server/io/fenced_source.h"

#include <optional>
#include <utility>

#include "common/base/log.h"
#include "common/http/edit.h"
#include "common/http/head_parser.h"
#include "common/net/clock.h"
#include "common/net/entropy.h"

namespace tandem::server {
namespace {

ItemGuardOptions guard_options(ItemGuardOptions options, bool arbitrated, bool leased) {
  options.arbitrated = arbitrated;
  options.leased = leased;
  options.first_number = random_u64() >> 1;
  return options;
}

// The path of the request that `head` is, within it.
std::string_view path_of(std::string_view head) {
  const auto from = head.find(' ') + 1;
  return head.substr(from, head.find(' ', from) - from);
}

}  // namespace

// A request that may change its item: the head of a good answer waits until no cache of the group
// can be asked for the old item. Of a database it has an epoch, and ends with it.
class FencedCall final : public SourceCall, private HttpCallHandler {
 public:
  FencedCall(FencedSource& source, HttpRequest request, HttpCallHandler& handler)
      : source_(source), path_(path_of(request.head)), handler_(handler) {
    const TypeId type = source_.type_of(path_);
    if (source_.database_ != nullptr) claim_ = source_.guard_.claim(type);
    if (source_.database_ != nullptr ? !claim_ : source_.another_acts(type)) {
      refuse();
      return;
    }
    if (claim_) source_.calls_.insert(this);
    call_ = source_.inner_.start(std::move(request), *this);
  }
  ~FencedCall() override {
    *alive_ = false;
    source_.calls_.erase(this);
    if (write_ != 0) source_.writing_.erase(write_);
    // Cancelled: what became of it is not known.
    if (call_ != nullptr && !answered_) source_.changed(path_, nullptr);
  }

  // Another server acts, or this one acts anew: somebody may have written in between.
  void cut_if_outdated() {
    if (answered_ || call_ == nullptr || source_.guard_.claim(source_.type_of(path_)) == claim_) {
      return;
    }
    call_.reset();
    source_.changed(path_, nullptr);
    refuse();
  }

  bool send_body(std::string_view bytes) override {
    return call_ == nullptr || call_->send_body(bytes);
  }
  void end_body() override {
    if (call_ != nullptr) call_->end_body();
  }
  void pause() override {
    paused_ = true;
    if (call_ != nullptr) call_->pause();
  }
  void resume() override {
    paused_ = false;
    if (!held_.empty() || call_ == nullptr) return;
    if (early_.empty() && !complete_) return call_->resume();
    later([this] { deliver_rest(); });
  }
  HttpCall::Tunnel take_tunnel() override {
    return call_ == nullptr ? HttpCall::Tunnel{} : call_->take_tunnel();
  }

  void wait(std::uint64_t write) { write_ = write; }
  // It may be said now.
  void release() {
    write_ = 0;
    later([this] { deliver(); });
  }

 private:
  template <class Work>
  void later(Work work) {
    source_.loop_.defer([alive = alive_, work] {
      if (*alive) work();
    });
  }

  void on_response(const http::ResponseHead& head, const http::Framing& framing) override {
    answered_ = true;
    if (head.status() >= 400 && head.status() < 500) return handler_.on_response(head, framing);
    if (framing.kind == http::BodyKind::kTunnel) {  // what comes of it nobody holds back
      source_.changed(path_, nullptr);
      return handler_.on_response(head, framing);
    }
    http::HeadEdit edit;
    edit.begin(head);
    edit.append_to(held_);
    framing_ = framing;
    call_->pause();
    source_.changed(path_, this);
  }
  void on_interim(const http::ResponseHead& head) override { handler_.on_interim(head); }
  // What has come with the head, in spite of the pause: an answer without a body ends at once.
  void on_body(std::string_view bytes) override {
    if (!holds_back()) return handler_.on_body(bytes);
    early_.append(bytes);
  }
  void on_complete() override {
    if (!holds_back()) return handler_.on_complete();
    complete_ = true;
  }
  void on_failure(const HttpFailure& failure) override {
    if (!std::exchange(answered_, true) && failure.sent) source_.changed(path_, nullptr);
    if (write_ != 0) source_.writing_.erase(std::exchange(write_, 0));
    held_.clear();
    early_.clear();
    handler_.on_failure(failure);
  }
  void on_writable() override { handler_.on_writable(); }

  void refuse() {
    later([this] {
      handler_.on_failure({HttpFailure::Kind::kShortage, false,
                           Error::peer("another server acts for the item's type")});
    });
  }

  bool holds_back() const { return !held_.empty() || !early_.empty() || complete_; }

  void deliver() {
    if (held_.empty()) return;  // it has failed meanwhile
    const std::string text = std::exchange(held_, {});
    http::HeadParser parser({.start_line_bytes_max = text.size(),
                             .head_bytes_max = text.size(),
                             .fields_max = http::kFieldsMax});
    http::ResponseHead head;
    TANDEM_CHECK(parser.parse(text, head) == http::Progress::kDone);
    auto alive = alive_;
    handler_.on_response(head, framing_);
    if (*alive) deliver_rest();
  }

  void deliver_rest() {
    if (paused_) return;
    auto alive = alive_;
    const std::string bytes = std::exchange(early_, {});
    if (!bytes.empty()) handler_.on_body(bytes);
    if (!*alive || paused_) return;
    if (std::exchange(complete_, false)) return handler_.on_complete();
    if (call_ != nullptr) call_->resume();
  }

  FencedSource& source_;
  std::string path_;
  HttpCallHandler& handler_;
  std::string held_;   // the head of the answer, until it may be given
  std::string early_;  // of its body
  http::Framing framing_;
  std::optional<OwnerClaim> claim_;
  std::uint64_t write_ = 0;  // that is waited for
  bool answered_ = false;
  bool paused_ = false;
  bool complete_ = false;  // and the handler is yet to be told
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<SourceCall> call_;  // null: refused
};

FencedSource::FencedSource(EventLoop& loop, NodeDriver& driver, Ownership ownership, Source& inner,
                           ItemDatabase* database, ItemGuardOptions options)
    : loop_(loop),
      driver_(driver),
      ownership_(std::move(ownership)),
      inner_(inner),
      database_(database),
      guard_(driver.node().self(), ownership_,
             guard_options(std::move(options), database != nullptr, !inner.has_versions())),
      timer_(loop, [this] {
        guard_.on_deadline(monotonic_now());
        settle();
      }) {
  if (database_ == nullptr) return;
  // Which item that was is not known any more.
  database_->set_on_late_write([this] { inner_.forget([](std::string_view) { return true; }); });
}

void FencedSource::on_view(const ViewPtr& view) {
  ownership_.apply(*view);
  guard_.on_view(*view);
  cut_outdated();
  settle();
}

// It would go on with what it has cached.
bool FencedSource::another_acts(TypeId type) const {
  const ServerId acting = ownership_.acting(type);
  return acting && acting != driver_.node().self();
}

void FencedSource::cut_outdated() {
  const std::vector<FencedCall*> calls(calls_.begin(), calls_.end());
  for (FencedCall* call : calls) {
    if (calls_.contains(call)) call->cut_if_outdated();
  }
}

void FencedSource::on_peer_message(ServerId from, const Message& message) {
  guard_.on_message(monotonic_now(), from, message, out_);
  settle();
}

std::unique_ptr<SourceCall> FencedSource::start(HttpRequest request, HttpCallHandler& handler) {
  if (!http::is_safe(request.method)) {
    return std::make_unique<FencedCall>(*this, std::move(request), handler);
  }
  // What is cached under the source's version is used while that is its version, whoever writes: it
  // needs no leave. To ask for one would be to claim the type in the database, and that changes its
  // version: everything that is cached of it in the group would be of no use any more.
  if (!inner_.has_versions()) {
    const std::string_view path = path_of(request.head);
    if (!guard_.may_use(monotonic_now(), type_of(path), out_)) {
      inner_.invalidate(ItemKey::of(path));
    }
    settle();
  }
  return inner_.start(std::move(request), handler);
}

void FencedSource::write(std::string_view path, ItemWrite write, ItemDatabase::OnWritten then) {
  const TypeId type = type_of(path);
  write.claim = guard_.claim(type);
  if (!write.claim) {
    WriteOutcome refused;
    refused.kind = WriteOutcome::Kind::kFenced;
    return loop_.defer([refused, then = std::move(then)] { then(refused); });
  }
  const ActingEpoch epoch = write.claim->epoch;
  const Instant asked = monotonic_now();
  database_->write(std::move(write), [this, type, epoch, asked, path = std::string(path),
                                      then = std::move(then)](Result<WriteOutcome> outcome) {
    using Kind = WriteOutcome::Kind;
    if (outcome && outcome->kind == Kind::kFenced) {
      guard_.on_refused(type, epoch);
    } else if (outcome && outcome->kind != Kind::kPreconditionFailed) {
      guard_.on_passed(monotonic_now(), asked, type, epoch, outcome->stored, out_);
    }
    settle();
    const bool done =
        outcome && (outcome->kind == Kind::kCreated || outcome->kind == Kind::kReplaced ||
                    outcome->kind == Kind::kRemoved);
    const std::uint64_t before = last_write_;
    then(std::move(outcome));
    // Whoever answers tells the others within that; if nobody does, it is told here.
    if (done && last_write_ == before) changed(path, nullptr);
  });
}

void FencedSource::changed(std::string_view path, FencedCall* call) {
  const std::uint64_t write = ++last_write_;
  if (call != nullptr) {
    writing_.emplace(write, call);
    call->wait(write);
  }
  guard_.on_written(monotonic_now(), write, type_of(path), {ItemKey::of(path)}, out_);
  settle();
}

void FencedSource::ask(const ItemGuard::Check& check) {
  const Instant asked = monotonic_now();
  database_->claim(check.claim, [this, check, asked](const Result<WriteOutcome>& outcome) {
    if (!outcome) {
      guard_.on_check_failed(check.type);
    } else if (outcome->kind == WriteOutcome::Kind::kFenced) {
      TANDEM_WARN_LIMITED("another server has become the owner of {}", check.claim.name);
      guard_.on_refused(check.type, check.claim.epoch);
    } else {
      guard_.on_passed(monotonic_now(), asked, check.type, check.claim.epoch, outcome->stored,
                       out_);
    }
    settle();
  });
}

// What is to be dropped goes before anybody is told that it has gone.
void FencedSource::settle() {
  const std::vector<ItemKey> invalidated = guard_.take_invalidated();
  for (const ItemKey item : invalidated) {
    inner_.invalidate(item);
    driver_.node().freshness().invalidate(loop_.now(), item);
  }
  if (!invalidated.empty()) driver_.touched();
  for (const TypeId type : guard_.take_forgotten()) {
    inner_.forget([this, type](std::string_view target) { return type_of(target) == type; });
  }
  for (auto& envelope : out_.take()) {
    if (peers_ != nullptr) peers_->send(envelope.to, envelope.message);
  }
  for (const ItemGuard::Check& check : guard_.take_checks()) ask(check);
  for (const std::uint64_t write : guard_.take_acknowledged()) {
    const auto found = writing_.find(write);
    if (found == writing_.end()) continue;
    FencedCall* call = found->second;
    writing_.erase(found);
    call->release();
  }
  timer_.set(guard_.next_deadline());
}

std::vector<AdminSnapshot::Count> FencedSource::counts() const {
  const ItemGuard::Counters& all = guard_.counters();
  return {
      {"cached_items_allowed_total", "Requests for which what is cached might be used.", all.used},
      {"cached_items_denied_total", "Requests for which it might not: the source was asked.",
       all.not_used},
      {"leases_asked_total", "Leases asked for, of other servers' types.", all.asked},
      {"leases_granted_total", "Leases granted to other servers.", all.granted},
      {"invalidations_sent_total", "Told to other servers: an item has changed.",
       all.invalidations_sent},
      {"invalidations_received_total", "Told by other servers.", all.invalidations_answered},
      {"leases_waited_for_total", "Leases whose end a write had to wait for.", all.silences},
      {"types_claimed_total", "Types claimed in the database.", all.claims},
      {"types_refused_total", "Times that the database knew a newer owner.", all.refused},
      {"writes_waiting", "Writes that wait for other servers to drop the item.", guard_.waiting()}};
}

}  // namespace tandem::server
