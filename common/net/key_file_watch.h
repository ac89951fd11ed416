// Looks at the key file now and then, so that a changed one is taken without a signal.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>

#include "common/crypto/cluster_key.h"
#include "common/net/event_loop.h"

namespace tandem {

// On the loop's thread.
class KeyFileWatch {
 public:
  // One stat each time. A change is taken when two looks in a row have seen the same: whoever
  // copies a file there without care has finished by then.
  static constexpr Duration kLookInterval = 2s;

  // `on_keys` is called with what a changed file lists. One that is bad is complained of in the
  // log, once, and the old keys stay in force.
  KeyFileWatch(EventLoop& loop, std::string file, std::function<void(ClusterKeys)> on_keys,
               Duration look_interval = kLookInterval);

  // The file as it is now is known: its keys are in force.
  void note_taken() { taken_ = look(); }

 private:
  struct Look {
    dev_t device = 0;
    ino_t inode = 0;  // 0: there is no file
    off_t size = 0;
    timespec modified{};
    bool operator==(const Look& other) const;
  };
  Look look() const;
  void on_time();

  std::string file_;
  std::function<void(ClusterKeys)> on_keys_;
  Duration interval_;
  Look taken_;
  Look last_;
  Timer timer_;
};

}  // namespace tandem
