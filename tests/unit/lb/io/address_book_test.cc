#include "lb/io/address_book.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

struct AddressBookTest : ::testing::Test {
  EventLoop loop;
  Resolver resolver{loop};
  int changes = 0;
  AddressBook book{loop, resolver, 10s, [this] {
                     ++changes;
                     loop.stop();
                   }};
};

TEST_F(AddressBookTest, NumbersAreKnownAtOnce) {
  EXPECT_EQ(book.find("127.0.0.1:80").text(), "127.0.0.1:80");
  EXPECT_EQ(book.find("[::1]:80").text(), "[::1]:80");
  EXPECT_FALSE(book.find("nonsense"));
}

TEST_F(AddressBookTest, ANameIsKnownLaterAndThatIsTold) {
  EXPECT_FALSE(book.find("localhost:80"));
  loop.run();
  EXPECT_EQ(changes, 1);
  EXPECT_EQ(book.find("localhost:80").port(), 80);
}

TEST_F(AddressBookTest, WhatIsNotAskedForIsForgotten) {
  book.find("localhost:80");
  loop.run();
  book.begin_round();
  book.find("127.0.0.1:80");
  book.end_round();
  EXPECT_FALSE(book.find("localhost:80"));
}

TEST_F(AddressBookTest, NamesAreResolvedAgain) {
  AddressBook often(loop, resolver, 1ms, [this] { loop.stop(); });
  often.find("localhost:80");
  loop.run();
  // The same address again is no change: run until a further name shows that rounds went by.
  often.find("localhost:81");
  loop.run();
  EXPECT_TRUE(often.find("localhost:81"));
}

}  // namespace
}  // namespace tandem
