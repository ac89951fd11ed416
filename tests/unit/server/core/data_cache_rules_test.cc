// What RFC 9111 has a shared cache store, for how long, and for whom.
#include "tests/unit/server/core/cache_scenarios.h"

namespace tandem {
namespace {

using Scenario = CacheScenario;

class DataCacheRules : public CacheScenarios {};

TEST_P(DataCacheRules, Hold) { EXPECT_EQ(wrong(), ""); }

#define SCENARIOS(group, ...)                                                     \
  INSTANTIATE_TEST_SUITE_P(group, DataCacheRules, ::testing::Values(__VA_ARGS__), \
                           [](const auto& one) { return std::string(one.param.name); })

SCENARIOS(Freshness, Scenario{"MaxAgeCounts", R"(
        origin 200 | Cache-Control: max-age=10
        get /a -> asked 200 b1 no-age
        wait 9
        get /a -> hit 200 b1 age=9 has(Cache-Status: c; hit; ttl=1)
        origin 200 | Cache-Control: max-age=10
        wait 1
        get /a -> asked b2)"},
          Scenario{"SMaxageComesBeforeMaxAge", R"(
        origin 200 | Cache-Control: max-age=1, s-maxage=10
        get /a -> asked
        wait 5
        get /a -> hit)"},
          Scenario{"SMaxageMayBeShorter", R"(
        origin 200 | Cache-Control: max-age=100, s-maxage=2
        get /a -> asked
        wait 2
        get /a -> asked)"},
          Scenario{"MaxAgeComesBeforeExpires", R"(
        origin 200 | Cache-Control: max-age=10 | Expires: @-100
        get /a -> asked
        get /a -> hit)"},
          Scenario{"ExpiresCounts", R"(
        origin 200 | Expires: @+20
        get /a -> asked
        wait 19
        get /a -> hit
        wait 1
        get /a -> asked)"},
          Scenario{"ExpiresIsMeasuredFromDate", R"(
        origin 200 | Expires: @+60 | Date: @+40
        get /a -> asked
        wait 19
        get /a -> hit
        wait 1
        get /a -> asked)"},
          Scenario{"ExpiresWithoutDateIsMeasuredFromTheArrival", R"(
        origin 200 | Expires: @+20 | no-date
        get /a -> asked
        wait 19
        get /a -> hit
        wait 1
        get /a -> asked)"},
          Scenario{"ExpiresThatIsNoDateHasPassed", R"(
        origin 200 | Expires: 0
        get /a -> asked
        get /a -> asked)"},
          Scenario{"MaxAgeThatIsNoNumberIsNone", R"(
        origin 200 | Cache-Control: max-age=ten
        get /a -> asked
        get /a -> asked)"},
          Scenario{"OfTwoMaxAgesTheSmallerCounts", R"(
        origin 200 | Cache-Control: max-age=10, max-age=2
        get /a -> asked
        wait 2
        get /a -> asked)"},
          Scenario{"DirectivesHaveNoCase", R"(
        origin 200 | Cache-Control: MaX-aGe=10
        get /a -> asked
        get /a -> hit)"},
          Scenario{"AQuotedArgumentCounts", R"(
        origin 200 | Cache-Control: max-age="10"
        get /a -> asked
        get /a -> hit)"},
          Scenario{"SeveralFieldsCountTogether", R"(
        origin 200 | Cache-Control: public | Cache-Control: max-age=10
        get /a -> asked
        get /a -> hit)"},
          Scenario{"AnEndlessLifetimeIsAYear", R"(
        origin 200 | Cache-Control: max-age=99999999999999999999
        get /a -> asked
        wait 31535999
        get /a -> hit
        wait 1
        get /a -> asked)"},
          Scenario{"WithNothingStatedNothingIsKept", R"(
        origin 200
        get /a -> asked
        get /a -> asked)"});

SCENARIOS(Age, Scenario{"TheOriginsAgeCounts", R"(
        origin 200 | Cache-Control: max-age=10 | Age: 4
        get /a -> asked
        wait 5
        get /a -> hit age=9
        wait 1
        get /a -> asked)"},
          Scenario{"AnAgeBeyondTheLifetimeIsStale", R"(
        origin 200 | Cache-Control: max-age=10 | Age: 10
        get /a -> asked
        get /a -> asked)"},
          Scenario{"AnOldDateIsAnAge", R"(
        origin 200 | Cache-Control: max-age=10 | Date: @-7
        get /a -> asked
        wait 2
        get /a -> hit age=9
        wait 1
        get /a -> asked)"},
          Scenario{"ADateInTheFutureIsNone", R"(
        origin 200 | Cache-Control: max-age=10 | Date: @+7
        get /a -> asked
        wait 9
        get /a -> hit age=9)"},
          Scenario{"AnAgeThatIsNoNumberIsStale", R"(
        origin 200 | Cache-Control: max-age=10 | Age: new
        get /a -> asked
        get /a -> asked)"},
          Scenario{"TheAgeIsNotStored", R"(
        origin 200 | Cache-Control: max-age=10 | Age: 4
        get /a -> asked
        wait 1
        get /a -> hit age=5 lacks(Age: 4))"},
          Scenario{"ADateIsAdded", R"(
        origin 200 | Cache-Control: max-age=10 | no-date
        get /a -> asked
        get /a -> hit has(Date: ))"});

SCENARIOS(Heuristics, Scenario{"ATenthOfTheTimeSinceTheLastChange", R"(
        origin 200 | Last-Modified: @-1000
        get /a -> asked
        wait 99
        get /a -> hit
        wait 1
        get /a -> validated)"},
          Scenario{"AtMostTheLimit", R"(
        origin 200 | Last-Modified: @-10000000
        get /a -> asked
        wait 3599
        get /a -> hit
        wait 1
        get /a -> validated)"},
          Scenario{"NotForEveryStatus", R"(
        origin 302 | Last-Modified: @-1000
        get /a -> asked 302
        get /a -> asked)"},
          Scenario{"For404", R"(
        origin 404 | Last-Modified: @-1000
        get /a -> asked 404
        get /a -> hit 404)"},
          Scenario{"PublicAllowsIt", R"(
        origin 302 | Last-Modified: @-1000 | Cache-Control: public
        get /a -> asked
        get /a -> hit)"},
          Scenario{"NotForARequestWithACookie", R"(
        origin 200 | Last-Modified: @-1000
        get /a | Cookie: u=1 -> asked
        get /a -> validated)"},
          Scenario{"NotFromTheFuture", R"(
        origin 200 | Last-Modified: @+1000
        get /a -> asked
        get /a -> validated)"});

SCENARIOS(Storing, Scenario{"NoStoreIsKeptNowhere", R"(
        origin 200 | Cache-Control: no-store, max-age=10
        get /a -> asked
        get /a -> asked)"},
          Scenario{"PrivateIsNotShared", R"(
        origin 200 | Cache-Control: private, max-age=10
        get /a -> asked
        get /a -> asked)"},
          Scenario{"PrivateOfOneFieldIsNotSharedEither", R"(
        origin 200 | Cache-Control: private="Set-Cookie", max-age=10
        get /a -> asked
        get /a -> asked)"},
          Scenario{"ACookieThatIsSetIsNotShared", R"(
        origin 200 | Cache-Control: public, max-age=10 | Set-Cookie: a=1
        get /a -> asked
        get /a -> asked)"},
          Scenario{"APartIsNotStored", R"(
        origin 206 | Cache-Control: max-age=10 | Content-Range: bytes 0-1/9
        get /a -> asked 206
        get /a -> asked)"},
          Scenario{"AnyStatusWithALifetime", R"(
        origin 302 | Cache-Control: max-age=10 | Location: /b
        get /a -> asked 302
        get /a -> hit 302 has(Location: /b))"},
          Scenario{"AnErrorWithALifetime", R"(
        origin 503 | Cache-Control: max-age=10
        get /a -> asked 503
        get /a -> hit 503)"},
          Scenario{"AnUnknownStatusWithALifetime", R"(
        origin 299 | Cache-Control: max-age=10
        get /a -> asked 299
        get /a -> hit 299)"},
          Scenario{"MustUnderstandWithAStatusThatIsUnderstood", R"(
        origin 200 | Cache-Control: must-understand, no-store, max-age=10
        get /a -> asked
        get /a -> hit)"},
          Scenario{"MustUnderstandWithOneThatIsNot", R"(
        origin 299 | Cache-Control: must-understand, max-age=10
        get /a -> asked
        get /a -> asked)"},
          Scenario{"NothingOfOneMessageIsStored", R"(
        origin 200 | Cache-Control: max-age=10 | Connection: Y | Y: 1 | X-End: 2 | Cache-Status: up
        get /a -> asked
        get /a -> hit lacks(Y: ) lacks(Connection) has(X-End: 2) lacks(up))"},
          Scenario{"TheQueryIsPartOfTheKey", R"(
        origin 200 | Cache-Control: max-age=10
        get /a?x=1 -> asked
        get /a?x=2 -> asked
        get /a?x=1 -> hit b1)"},
          Scenario{"TheHostIsPartOfTheKey", R"(
        origin 200 | Cache-Control: max-age=10
        get /a | Host: one -> asked
        get /a | Host: two -> asked
        get /a | Host: ONE -> hit)"},
          Scenario{"WhatIsNoLongerStorableReplacesWhatWas", R"(
        origin 200 | Cache-Control: max-age=1, stale-if-error=100 | ETag: "1"
        get /a -> asked b1
        wait 2
        origin 200 | Cache-Control: no-store
        get /a -> asked b2
        origin down
        get /a -> 502)"});

SCENARIOS(Authorization, Scenario{"ARequestWithItIsNotShared", R"(
        origin 200 | Cache-Control: max-age=10
        get /a | Authorization: x -> asked
        get /a -> asked)"},
          Scenario{"UnlessPublic", R"(
        origin 200 | Cache-Control: max-age=10, public
        get /a | Authorization: x -> asked
        get /a | Authorization: y -> hit
        get /a -> hit)"},
          Scenario{"UnlessSMaxage", R"(
        origin 200 | Cache-Control: s-maxage=10
        get /a | Authorization: x -> asked
        get /a | Authorization: x -> hit)"},
          Scenario{"UnlessMustRevalidate", R"(
        origin 200 | Cache-Control: max-age=10, must-revalidate
        get /a | Authorization: x -> asked
        get /a | Authorization: x -> hit)"},
          Scenario{"WhatWasAskedForWithoutItIsNotGivenToWhoHasIt", R"(
        origin 200 | Cache-Control: max-age=10
        get /a -> asked
        get /a | Authorization: x -> asked
        get /a -> hit)"},
          Scenario{"NorOnError", R"(
        origin 200 | Cache-Control: max-age=1, stale-if-error=60
        get /a -> asked
        wait 2
        origin down
        get /a | Authorization: x -> 502
        get /a -> 200 b1)"});

SCENARIOS(Vary, Scenario{"EachSelectionIsStored", R"(
        origin 200 | Cache-Control: max-age=10 | Vary: Accept
        get /a | Accept: x -> asked b1
        get /a | Accept: y -> asked has(fwd=vary-miss)
        get /a | Accept: x -> hit b1
        get /a | Accept: y -> hit)"},
          Scenario{"AnAbsentFieldSelectsToo", R"(
        origin 200 | Cache-Control: max-age=10 | Vary: Accept
        get /a -> asked
        get /a | Accept: x -> asked
        get /a -> hit)"},
          Scenario{"AnEmptyFieldIsNotAnAbsentOne", R"(
        origin 200 | Cache-Control: max-age=10 | Vary: Accept
        get /a | Accept: -> asked
        get /a -> asked)"},
          Scenario{"AsteriskMatchesNothing", R"(
        origin 200 | Cache-Control: max-age=10 | Vary: *
        get /a -> asked
        get /a -> asked)"},
          Scenario{"AsteriskAmongOthersMatchesNothing", R"(
        origin 200 | Cache-Control: max-age=10 | Vary: Accept, *
        get /a -> asked
        get /a -> asked)"},
          Scenario{"AllThatIsNamedCounts", R"(
        origin 200 | Cache-Control: max-age=10 | Vary: Accept, X-A | Vary: x-b
        get /a | Accept: x | X-A: 1 | X-B: 2 -> asked
        get /a | Accept: x | X-A: 1 | X-B: 3 -> asked
        get /a | Accept: x | X-A: 1 | X-B: 2 -> hit b1)"},
          Scenario{"SpacesBetweenMembersDoNotCount", R"(
        origin 200 | Cache-Control: max-age=10 | Vary: Accept
        get /a | Accept: x,y -> asked
        get /a | Accept: x ,  y -> hit
        get /a | Accept: x | Accept: y -> hit
        get /a | Accept: y, x -> asked)"},
          Scenario{"OtherFieldsDoNotCount", R"(
        origin 200 | Cache-Control: max-age=10 | Vary: Accept
        get /a | Accept: x | X-A: 1 -> asked
        get /a | Accept: x | X-A: 2 -> hit)"},
          Scenario{"TheNewestSelectionAnswers", R"(
        origin 200 | Cache-Control: max-age=10
        get /a -> asked b1
        get /a | Cache-Control: no-cache -> asked
        origin 200 | Cache-Control: max-age=10 | Vary: X-A
        get /a | Cache-Control: no-cache | X-A: 1 -> asked b2
        get /a | X-A: 1 -> hit b2)"});

}  // namespace
}  // namespace tandem
