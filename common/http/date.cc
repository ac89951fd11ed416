#include "common/http/date.h"

#include <algorithm>
#include <chrono>

#include "common/http/chars.h"

namespace tandem::http {
namespace {

namespace chrono = std::chrono;

constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr UnixSeconds kLast = 253402300799;  // the end of the year 9999

// Reads fixed parts of a text one after the other; once something does not fit, nothing does.
struct Reader {
  std::string_view rest;
  bool good = true;

  void literal(std::string_view expected) {
    good = good && rest.substr(0, expected.size()) == expected;
    if (good) rest.remove_prefix(expected.size());
  }
  int number(std::size_t digits, bool space_padded = false) {
    good = good && rest.size() >= digits;
    if (!good) return 0;
    int n = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const char c = i == 0 && space_padded && rest[i] == ' ' ? '0' : rest[i];
      good = good && is(kDigitChar, c);
      n = n * 10 + (c - '0');
    }
    rest.remove_prefix(digits);
    return n;
  }
  // The number of a three-letter name in a table of them.
  unsigned name(std::string_view table) {
    const std::string_view wanted = rest.substr(0, 3);
    for (unsigned i = 0; good && wanted.size() == 3 && i * 3 < table.size(); ++i) {
      if (table.substr(i * 3, 3) == wanted) {
        rest.remove_prefix(3);
        return i;
      }
    }
    good = false;
    return 0;
  }
};

struct Parts {
  int year = 0;
  unsigned month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

void read_time(Reader& in, Parts& out) {
  out.hour = in.number(2);
  in.literal(":");
  out.minute = in.number(2);
  in.literal(":");
  out.second = in.number(2);
}

// Sun, 06 Nov 1994 08:49:37 GMT
bool read_fixdate(Reader in, Parts& out) {
  in.name(kDays);
  in.literal(", ");
  out.day = in.number(2);
  in.literal(" ");
  out.month = in.name(kMonths) + 1;
  in.literal(" ");
  out.year = in.number(4);
  in.literal(" ");
  read_time(in, out);
  in.literal(" GMT");
  return in.good && in.rest.empty();
}

// Sunday, 06-Nov-94 08:49:37 GMT
bool read_rfc850(Reader in, Parts& out) {
  in.name(kDays);
  in.rest.remove_prefix(std::min(in.rest.find(','), in.rest.size()));
  in.literal(", ");
  out.day = in.number(2);
  in.literal("-");
  out.month = in.name(kMonths) + 1;
  in.literal("-");
  out.year = in.number(2);
  out.year += out.year < 70 ? 2000 : 1900;
  in.literal(" ");
  read_time(in, out);
  in.literal(" GMT");
  return in.good && in.rest.empty();
}

// Sun Nov  6 08:49:37 1994
bool read_asctime(Reader in, Parts& out) {
  in.name(kDays);
  in.literal(" ");
  out.month = in.name(kMonths) + 1;
  in.literal(" ");
  out.day = in.number(2, true);
  in.literal(" ");
  read_time(in, out);
  in.literal(" ");
  out.year = in.number(4);
  return in.good && in.rest.empty();
}

void put(char* at, int number, int digits) {
  for (char* p = at + digits; p != at; number /= 10) *--p = static_cast<char>('0' + number % 10);
}

}  // namespace

DateText format_date(UnixSeconds when) {
  const chrono::sys_seconds instant{chrono::seconds{std::clamp<UnixSeconds>(when, 0, kLast)}};
  const auto day = chrono::floor<chrono::days>(instant);
  const chrono::year_month_day date{day};
  const chrono::hh_mm_ss time{instant - day};
  const std::size_t weekday = chrono::weekday{day}.c_encoding();
  const std::size_t month = static_cast<unsigned>(date.month()) - 1;
  DateText text;
  std::string_view("Sun, 06 Nov 1994 08:49:37 GMT").copy(text.data(), text.size());
  kDays.copy(text.data(), 3, weekday * 3);
  put(&text[5], static_cast<int>(static_cast<unsigned>(date.day())), 2);
  kMonths.copy(&text[8], 3, month * 3);
  put(&text[12], static_cast<int>(date.year()), 4);
  put(&text[17], static_cast<int>(time.hours().count()), 2);
  put(&text[20], static_cast<int>(time.minutes().count()), 2);
  put(&text[23], static_cast<int>(time.seconds().count()), 2);
  return text;
}

std::optional<UnixSeconds> parse_date(std::string_view text) {
  Parts parts;
  const Reader in{text};
  if (!read_fixdate(in, parts) && !read_rfc850(in, parts) && !read_asctime(in, parts)) return {};
  const chrono::year_month_day date{chrono::year{parts.year}, chrono::month{parts.month},
                                    chrono::day{static_cast<unsigned>(parts.day)}};
  // A leap second is a second later than the one before it.
  if (!date.ok() || parts.hour > 23 || parts.minute > 59 || parts.second > 60) return {};
  const auto instant = chrono::sys_days{date} + chrono::hours{parts.hour} +
                       chrono::minutes{parts.minute} + chrono::seconds{parts.second};
  return chrono::sys_seconds{instant}.time_since_epoch().count();
}

}  // namespace tandem::http
