#include "common/net/side_thread.h"

#include <gtest/gtest.h>

#include <future>
#include <string>
#include <thread>
#include <vector>

namespace tandem {
namespace {

TEST(SideThread, WorkIsDoneThereInOrderAndRepliesComeHere) {
  EventLoop loop;
  auto kept = std::make_shared<std::string>();
  std::string* text = kept.get();
  SideThread side(loop, kept, 10s);
  std::vector<std::string> replies;
  std::thread::id there;
  for (const char* letter : {"a", "b", "c"}) {
    side.ask([&, letter]() -> SideThread::Reply {
      there = std::this_thread::get_id();
      text->append(letter);
      return [&, copy = *text] {
        replies.push_back(copy);
        if (replies.size() == 3) loop.stop();
      };
    });
  }
  EXPECT_FALSE(side.started());
  side.start();
  loop.run();
  EXPECT_EQ(replies, (std::vector<std::string>{"a", "ab", "abc"}));
  EXPECT_NE(there, std::this_thread::get_id());
}

TEST(SideThread, TheEndWaitsForWhatWasAskedAndGivesNoReply) {
  EventLoop loop;
  auto kept = std::make_shared<int>(0);
  const std::weak_ptr<int> left = kept;
  bool done = false, replied = false;
  {
    SideThread side(loop, std::move(kept), 10s);
    side.start();
    side.ask([&]() -> SideThread::Reply {
      done = true;
      return [&replied] { replied = true; };
    });
  }
  EXPECT_TRUE(done);
  EXPECT_TRUE(left.expired());
  loop.post([&loop] { loop.stop(); });
  loop.run();
  EXPECT_FALSE(replied);
}

TEST(SideThread, OneThatHangsIsLeftToItself) {
  EventLoop loop;
  std::promise<void> release;
  struct Kept {
    std::promise<void> gone;
    ~Kept() { gone.set_value(); }
  };
  auto kept = std::make_shared<Kept>();
  const std::future<void> gone = kept->gone.get_future();
  {
    SideThread side(loop, std::move(kept), 1ms);
    side.start();
    side.ask([held = release.get_future().share()]() -> SideThread::Reply {
      held.wait();
      return [] { ADD_FAILURE() << "nobody is there to be told"; };
    });
  }
  release.set_value();
  gone.wait();  // what it has stays until it is done
}

}  // namespace
}  // namespace tandem
