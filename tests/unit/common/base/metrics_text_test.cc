#include "common/base/metrics_text.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(MetricsText, CountersGaugesAndLabels) {
  MetricsText text;
  text.metric("requests_total", "Requests.").value(7);
  text.metric("sessions", "Sessions.").value("server", "a\"b\\c\nd", 1).value("server", "b", 2);
  EXPECT_EQ(text.text(),
            "# HELP tandem_requests_total Requests.\n"
            "# TYPE tandem_requests_total counter\n"
            "tandem_requests_total 7\n"
            "# HELP tandem_sessions Sessions.\n"
            "# TYPE tandem_sessions gauge\n"
            "tandem_sessions{server=\"a\\\"b\\\\c\\nd\"} 1\n"
            "tandem_sessions{server=\"b\"} 2\n");
}

}  // namespace
}  // namespace tandem
