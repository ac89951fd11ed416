#include "lb/core/event_log.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

MembershipEvent event(std::string text) {
  MembershipEvent event;
  event.text = std::move(text);
  return event;
}

std::string texts(const std::vector<MembershipEvent>& events) {
  std::string all;
  for (const MembershipEvent& one : events) all += one.text;
  return all;
}

TEST(EventLog, NamesEachEventByATimeOfItsOwn) {
  EventLog log;
  MembershipEvent a = event("a"), b = event("b"), c = event("c");
  log.add(a, 1000);
  log.add(b, 1000);
  log.add(c, 500);  // the clock was put back
  EXPECT_EQ(a.logged, 1000);
  EXPECT_EQ(b.logged, 1001);
  EXPECT_EQ(c.logged, 1002);
  EXPECT_EQ(texts(log.after(0)), "abc");
  EXPECT_EQ(texts(log.after(1000)), "bc");
  EXPECT_EQ(texts(log.after(0, 2)), "bc");
  EXPECT_EQ(texts(log.after(1002)), "");
}

TEST(EventLog, WhatAnEarlierProcessLoggedGoesBefore) {
  EventLog log;
  MembershipEvent now = event("c");
  log.add(now, 1000);
  MembershipEvent a = event("a"), b = event("b");
  a.logged = 10;
  b.logged = 20;
  log.restore(std::vector{a, b});
  log.restore(std::vector{a, b});
  EXPECT_EQ(texts(log.after(0)), "abc");
  MembershipEvent next = event("d");
  log.add(next, 5);
  EXPECT_EQ(next.logged, 1001);
}

TEST(EventLog, IsBounded) {
  EventLog log;
  for (std::size_t i = 0; i < 2 * EventLog::kEventsMax; ++i) {
    MembershipEvent one = event("x");
    log.add(one, 0);
  }
  EXPECT_EQ(log.after(0).size(), EventLog::kEventsMax);
  EXPECT_EQ(log.after(0).back().logged, std::int64_t{2 * EventLog::kEventsMax});
}

}  // namespace
}  // namespace tandem
