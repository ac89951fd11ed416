#include "lb/io/explainer.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "lb/io/explain_text.h"

namespace tandem {
namespace {

constexpr const char* kUsage =
    "what? /explain?token=TOKEN, /explain?session=ID (32 hexadecimal digits) or "
    "/explain?if_dies=SERVER\n";

AdminResponse refusal(int status, std::string text) {
  AdminResponse response;
  response.status = status;
  response.body = std::move(text);
  return response;
}

AdminResponse done(bool table, std::string text) {
  AdminResponse response;
  if (!table) response.content_type = "application/json";
  response.body = std::move(text);
  return response;
}

}  // namespace

Explainer::Explainer(EventLoop& loop, Cluster& cluster, const ClusterKeys& keys,
                     UnixSeconds token_ttl)
    : loop_(loop), cluster_(cluster), codec_(keys), token_ttl_(token_ttl), timer_(loop, [this] {
        on_timer();
      }) {
  cluster_.set_account_listener(this);
}

Explainer::~Explainer() { cluster_.set_account_listener(nullptr); }

void Explainer::answer(const AdminRequest& request, AdminServer::Reply reply) {
  if (request.method != "GET") {
    AdminResponse response = refusal(405, "use GET, HEAD\n");
    response.allow = "GET, HEAD";
    return reply(response);
  }
  const bool table = request.parameter("format") == "table";
  const ViewPtr view = std::make_shared<const View>(cluster_.membership().view());
  if (const std::string name = request.parameter("if_dies"); !name.empty()) {
    const ServerRecord* server = view->find(ServerId::of(name));
    if (server == nullptr)
      return reply(refusal(404, fmt::format("no server is called {}\n", name)));
    const IfDies loss = if_dies(*view, cluster_.membership().backings(), server->id);
    return reply(done(table, table ? if_dies_table(*view, loss) : if_dies_json(*view, loss)));
  }
  ExplanationInput input;
  input.view = view;
  input.wall = loop_.unix_now();
  input.token_ttl = token_ttl_;
  if (const std::string text = request.parameter("token"); !text.empty()) {
    // An expired one is explained as well.
    const auto opened = codec_.open(text, input.wall, std::numeric_limits<std::uint32_t>::max());
    if (!opened) {
      return reply(refusal(
          422, fmt::format("that is no token of this cluster: {}\n", name_of(opened.fault))));
    }
    input.token = opened.token;
    input.session = opened.token.session;
  } else if (const auto session = parse_session_id(request.parameter("session"))) {
    input.session = *session;
  } else {
    return reply(refusal(400, kUsage));
  }
  ask(std::move(input), table, std::move(reply));
}

void Explainer::ask(ExplanationInput input, bool table, AdminServer::Reply reply) {
  if (questions_.size() >= kQuestionsMax) {
    return reply(refusal(503, "too many questions at once\n"));
  }
  const std::uint64_t number = ++last_number_;
  const SessionQuery query{number, input.session};
  for (const ServerId server : cluster_.tell_all(query)) input.answers.push_back({server, {}});
  const std::size_t owed = input.answers.size();
  const auto [at, added] = questions_.emplace(
      number, Question{std::move(input), owed, table, loop_.now() + kPatience, std::move(reply)});
  if (owed == 0) return finish(at);
  timer_.set(questions_.begin()->second.deadline);
}

void Explainer::on_account(ServerId from, const SessionAccount& account) {
  const auto found = questions_.find(account.number);
  if (found == questions_.end()) return;
  Question& question = found->second;
  for (ExplanationInput::Answer& answer : question.input.answers) {
    if (answer.server != from || answer.account) continue;
    answer.account = account;
    if (--question.owed == 0) return finish(found);
  }
}

void Explainer::finish(std::map<std::uint64_t, Question>::iterator at) {
  const Question question = std::move(at->second);
  questions_.erase(at);
  const Explanation found = explain(question.input);
  question.reply(done(question.table, question.table ? explanation_table(question.input, found)
                                                     : explanation_json(question.input, found)));
}

void Explainer::on_timer() {
  while (!questions_.empty() && questions_.begin()->second.deadline <= loop_.now()) {
    finish(questions_.begin());
  }
  if (!questions_.empty()) timer_.set(questions_.begin()->second.deadline);
}

}  // namespace tandem
