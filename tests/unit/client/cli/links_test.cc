#include "client/cli/links.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

using Links = std::vector<std::string>;

Links links(std::string_view html) { return links_of(html, 100); }

TEST(Links, AreTheHrefsAndSources) {
  EXPECT_EQ(links("<html><a href=\"a.html\">a</a> <IMG alt=x SRC='b.png'/> <link href=c.css>"),
            (Links{"a.html", "b.png", "c.css"}));
  EXPECT_EQ(links("<a\n class = \"x\"\n href = \"a\" >"), (Links{"a"}));
  EXPECT_EQ(links("<script src=x.js></script><a href=a>"), (Links{"x.js", "a"}));
}

TEST(Links, AreUnescaped) {
  EXPECT_EQ(links("<a href='?a=1&amp;b=2&amp;amp;'>"), (Links{"?a=1&b=2&amp;"}));
}

TEST(Links, AreNotInCommentsScriptsOrOtherAttributes) {
  EXPECT_EQ(links("<!-- <a href=no> --><a href=yes>"), (Links{"yes"}));
  EXPECT_EQ(links("<script>'<a href=no>'</script><a href=yes>"), (Links{"yes"}));
  EXPECT_EQ(links("<style>a::after{content:'<a href=no>'}</STYLE><a href=yes>"), (Links{"yes"}));
  EXPECT_EQ(links("<a data-href=no xhref=no href>text href=no</a>"), (Links{}));
  EXPECT_EQ(links("</a href=no> < a href=no> <1 href=no>"), (Links{}));
}

TEST(Links, EndWhereTheDocumentIsCut) {
  for (const char* html : {"<a href=", "<a href='x", "<a href", "<a", "<", "<!--", "<script>",
                           "<a = href=x", "<a href=x"}) {
    EXPECT_LE(links(html).size(), 1u) << html;
  }
}

TEST(Links, AreBounded) {
  std::string html;
  for (int i = 0; i < 10; ++i) html += "<a href=x>";
  EXPECT_EQ(links_of(html, 3).size(), 3u);
}

}  // namespace
}  // namespace tandem
