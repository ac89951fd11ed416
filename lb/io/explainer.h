// Answers GET /explain of the admin listener:
//
//   ?token=TOKEN or ?session=32HEX   why this client is where it is: asks every server that is
//                                    connected, and waits for their accounts, for kPatience at most
//   ?if_dies=SERVER                  where its sessions would go: from what servers have told
//
// With &format=table sentences for people, else JSON. Belongs to control's thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "common/net/admin_server.h"
#include "common/session/token_codec.h"
#include "lb/core/explanation.h"
#include "lb/io/cluster.h"

namespace tandem {

class Explainer final : private Cluster::AccountListener {
 public:
  static constexpr Duration kPatience = 1s;
  static constexpr std::size_t kQuestionsMax = 64;  // under way; more are answered with 503

  // The cluster must outlive the explainer.
  // `keys` open tokens, which live for `token_ttl` seconds.
  Explainer(EventLoop& loop, Cluster& cluster, const ClusterKeys& keys, UnixSeconds token_ttl);
  ~Explainer();

  void replace_keys(const ClusterKeys& keys) { codec_.replace_keys(keys); }

  void answer(const AdminRequest& request, AdminServer::Reply reply);

 private:
  struct Question {
    ExplanationInput input;
    std::size_t owed = 0;  // answers
    bool table = false;
    Instant deadline;
    AdminServer::Reply reply;
  };

  void on_account(ServerId from, const SessionAccount& account) override;
  void ask(ExplanationInput input, bool table, AdminServer::Reply reply);
  void finish(std::map<std::uint64_t, Question>::iterator question);
  void on_timer();

  EventLoop& loop_;
  Cluster& cluster_;
  TokenCodec codec_;
  UnixSeconds token_ttl_;
  std::map<std::uint64_t, Question> questions_;  // by number: the order of their deadlines
  std::uint64_t last_number_ = 0;
  Timer timer_;
};

}  // namespace tandem
