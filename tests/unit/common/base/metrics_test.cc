#include "common/base/metrics.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(Metrics, SumsPartsAndEscapesLabels) {
  Metrics a, b;
  a.counter("tandem_requests_total", "Requests.", {{"server", "x\"y\\z"}}).add(2);
  b.counter("tandem_requests_total", "Requests.", {{"server", "x\"y\\z"}}).add(3);
  b.counter("tandem_requests_total", "Requests.", {{"server", "b"}}).add();
  a.gauge("tandem_connections", "Open connections.").set(7);
  b.gauge("tandem_connections", "Open connections.").add(-2);
  const Metrics* parts[] = {&a, &b};
  EXPECT_EQ(render_metrics(parts),
            "# HELP tandem_connections Open connections.\n"
            "# TYPE tandem_connections gauge\n"
            "tandem_connections 5\n"
            "# HELP tandem_requests_total Requests.\n"
            "# TYPE tandem_requests_total counter\n"
            "tandem_requests_total{server=\"b\"} 1\n"
            "tandem_requests_total{server=\"x\\\"y\\\\z\"} 5\n");
}

TEST(Metrics, TheSameNameIsTheSameMetric) {
  Metrics metrics;
  EXPECT_EQ(&metrics.counter("a_total", "A."), &metrics.counter("a_total", "A."));
  EXPECT_NE(&metrics.counter("a_total", "A."), &metrics.counter("a_total", "A.", {{"k", "v"}}));
}

TEST(Metrics, HistogramBucketsAreCumulative) {
  Metrics metrics;
  Histogram& taken = metrics.histogram("t_seconds", "Time.", {{"k", "v"}});
  taken.observe(100us);  // a bound belongs to its bucket
  taken.observe(101us);
  taken.observe(1h);
  const Metrics* parts[] = {&metrics};
  const std::string text = render_metrics(parts);
  EXPECT_NE(text.find("t_seconds_bucket{k=\"v\",le=\"0.0001\"} 1\n"), text.npos) << text;
  EXPECT_NE(text.find("t_seconds_bucket{k=\"v\",le=\"0.0002\"} 2\n"), text.npos);
  EXPECT_NE(text.find("t_seconds_bucket{k=\"v\",le=\"100\"} 2\n"), text.npos);
  EXPECT_NE(text.find("t_seconds_bucket{k=\"v\",le=\"+Inf\"} 3\n"), text.npos);
  EXPECT_NE(text.find("t_seconds_count{k=\"v\"} 3\n"), text.npos);
}

}  // namespace
}  // namespace tandem
