#include "client/io/errands.h"

#include <fmt/format.h>

#include <utility>

#include "common/cluster/server_list.h"

namespace tandem {

using Notice = FailoverModes::Notice;

Errands::Errands(EventLoop& loop, Transport& transport, ClientState& state,
                 std::shared_ptr<FailoverBook> book, Told told)
    : loop_(loop),
      transport_(transport),
      state_(state),
      book_(std::move(book)),
      told_(std::move(told)),
      timer_(loop, [this] { probe(); }) {}

std::string Errands::head_of(std::string_view method, std::string_view target) const {
  return fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\nAccept: */*\r\n{}\r\n",
                     method, target, state_.authority, state_.user_agent,
                     method == "POST" ? "Content-Length: 0\r\n" : "");
}

void Errands::start(List& list, const Destination& to, std::string_view method,
                    const std::string& target, std::function<void(const Outcome&)> done,
                    Duration patience) {
  const auto place = list.emplace(list.end());
  *place = transport_.start(to, head_of(method, target), {}, http::method_of(method),
                            loop_.now() + patience,
                            [this, &list, place, done = std::move(done)](const Outcome& outcome) {
                              const auto tell = done;  // goes with the exchange
                              loop_.dispose(std::move(*place));
                              list.erase(place);
                              tell(outcome);
                            });
}

// --- the map -----------------------------------------------------------------------------------

bool Errands::fetch_map() {
  if (state_.locator.wants_map(loop_.now())) {
    state_.locator.on_map_begin(loop_.now());
    ask_for_map();
  }
  return state_.locator.fetching();
}

void Errands::ask_for_map() {
  const Destination from = state_.locator.map_source(avoids());
  start(others_, from, "GET", std::string(kServerListPath),
        [this, from](const Outcome& outcome) { on_map_answer(outcome, from); });
}

void Errands::on_map_answer(const Outcome& outcome, const Destination& from) {
  if (outcome.response && outcome.response->status == 200) {
    if (const auto listing = parse_server_list(outcome.response->body)) {
      ++counts_.maps_fetched;
      state_.locator.on_map(*listing, from);
      forget_who_is_gone();
    }
  }
  if (state_.locator.wants_more()) return ask_for_map();
  state_.locator.on_map_end();
  told_.map();
}

void Errands::forget_who_is_gone() {
  if (!state_.locator.has_map()) return;
  const auto exists = [this](std::string_view server) {
    return state_.locator.find(server).has_value();
  };
  book_->forget_unless(exists);
  std::erase_if(doubts_, [&](const std::string& server) { return !exists(server); });
}

// --- failover ----------------------------------------------------------------------------------

Avoids Errands::avoids() const {
  return [book = book_.get()](std::string_view server) { return book->avoids(server); };
}

bool Errands::on_failure(const Destination& at) {
  if (!at.direct()) return false;
  const Notice notice = book_->on_failure(at.server, loop_.now());
  notify(notice, at.server);
  watch();
  return notice == Notice::kEntered;
}

void Errands::on_answer(const Destination& from) {
  if (!from.direct()) return;
  if (!doubts_.empty()) doubts_.erase(from.server);
  notify(book_->on_answer(from.server), from.server);
}

void Errands::notify(Notice notice, std::string_view server) {
  if (notice == Notice::kNone) return;
  if (notices_.size() >= kNoticesMax) {
    ++counts_.notices_failed;
    return;
  }
  const std::string target = fmt::format("{}?server={}{}", kReportPath, server,
                                         notice == Notice::kLeft ? kReportAnswers : "");
  start(notices_, Destination{}, "POST", target, [this](const Outcome& outcome) {
    const bool taken = outcome.response && outcome.response->status / 100 == 2;
    ++(taken ? counts_.notices_sent : counts_.notices_failed);
  });
}

// One request of our own, so that no caller's depends on it.
void Errands::probe() {
  while (const auto server = book_->take_probe(loop_.now())) {
    const auto at = state_.locator.find(*server);
    if (!at) {  // our map is old, or there is none yet
      book_->put_back(*server, loop_.now());
      continue;
    }
    start(others_, *at, "GET", std::string(kHealthPath), [this, at](const Outcome& outcome) {
      if (outcome.response && outcome.response->status == 200) {
        on_answer(*at);
      } else {
        (void)on_failure(*at);
      }
    });
  }
  watch();
}

// Any answer will do. Where this machine lacks something nothing was learned.
void Errands::look(const Destination& at, Duration patience) {
  if (!looks_.insert(at.server).second) return;
  const auto done = [this, at](const Outcome& outcome) {
    looks_.erase(at.server);
    const bool answers = outcome.response || outcome.failure.ours;
    if (outcome.response) on_answer(at);
    if (!answers) (void)on_failure(at);
    told_.look(at.server, answers);
  };
  start(others_, at, "GET", std::string(kHealthPath), done, patience);
}

void Errands::doubt(const Destination& at) {
  if (at.direct()) doubts_.insert(at.server);
}

void Errands::look_in_doubt(const Destination& at, Duration patience) {
  if (doubts_.erase(at.server) > 0) look(at, patience > Duration{0} ? patience : kPatience);
}

void Errands::watch() { timer_.set(book_->next_deadline()); }

}  // namespace tandem
