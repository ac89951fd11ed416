#include "client/core/url.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

std::string parsed(std::string_view text) {
  const auto url = Url::parse(text);
  return url ? url->text() : "none";
}

std::string resolved(std::string_view reference) {
  const auto url = Url::parse("http://host:81/a/b/c.html?q")->resolve(reference);
  return url ? url->text() : "none";
}

TEST(Url, IsTakenApart) {
  const auto url = Url::parse("https://Host.example:8443/a?b=c#d");
  ASSERT_TRUE(url);
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->address, (Address{"host.example", 8443}));
  EXPECT_EQ(url->target, "/a?b=c");
  EXPECT_EQ(url->origin(), "https://host.example:8443");
  EXPECT_EQ(url->authority(), "host.example:8443");
}

TEST(Url, FillsInWhatIsMissing) {
  EXPECT_EQ(parsed("http://h"), "http://h/");
  EXPECT_EQ(parsed("HTTP://h:80/"), "http://h/");
  EXPECT_EQ(parsed("https://h:443?x"), "https://h/?x");
  EXPECT_EQ(parsed("https://h:80"), "https://h:80/");
  EXPECT_EQ(parsed("http://[::1]/x"), "http://[::1]/x");
  EXPECT_EQ(parsed("http://[::1]:8080"), "http://[::1]:8080/");
  EXPECT_EQ(parsed("http://h/a b\xc3\xa4"), "http://h/a%20b%C3%A4");
  EXPECT_EQ(parsed("http://h/a/../b/./c"), "http://h/b/c");
}

TEST(Url, RefusesOtherThings) {
  for (const char* text : {"", "h", "/x", "ftp://h/", "http:/x", "http://", "http://:80/",
                           "http://h:x/", "http://h:70000/", "http://h:0/", "http://u@h/"}) {
    EXPECT_EQ(parsed(text), "none") << text;
  }
}

TEST(Url, ResolvesReferences) {
  EXPECT_EQ(resolved("d.html"), "http://host:81/a/b/d.html");
  EXPECT_EQ(resolved("./d.html"), "http://host:81/a/b/d.html");
  EXPECT_EQ(resolved("../d.html"), "http://host:81/a/d.html");
  EXPECT_EQ(resolved("../../../../d"), "http://host:81/d");
  EXPECT_EQ(resolved(".."), "http://host:81/a/");
  EXPECT_EQ(resolved("/d"), "http://host:81/d");
  EXPECT_EQ(resolved("?x"), "http://host:81/a/b/c.html?x");
  EXPECT_EQ(resolved("#part"), "http://host:81/a/b/c.html?q");
  EXPECT_EQ(resolved(""), "http://host:81/a/b/c.html?q");
  EXPECT_EQ(resolved("d?x/../y"), "http://host:81/a/b/d?x/../y");
  EXPECT_EQ(resolved("//other/d"), "http://other/d");
  EXPECT_EQ(resolved(" https://other/d#e "), "https://other/d");
  EXPECT_EQ(resolved("mailto:a@b"), "none");
  EXPECT_EQ(resolved("javascript:void(0)"), "none");
}

}  // namespace
}  // namespace tandem
