// How stored responses are validated and answer requests, and what ends them: RFC 9111, 5861, 9211.
#include "tests/unit/server/core/cache_scenarios.h"

namespace tandem {
namespace {

using Scenario = CacheScenario;

class DataCacheAnswers : public CacheScenarios {};

TEST_P(DataCacheAnswers, Hold) { EXPECT_EQ(wrong(), ""); }

#define SCENARIOS(group, ...)                                                       \
  INSTANTIATE_TEST_SUITE_P(group, DataCacheAnswers, ::testing::Values(__VA_ARGS__), \
                           [](const auto& one) { return std::string(one.param.name); })

SCENARIOS(Validation, Scenario{"WithTheEntityTag", R"(
        origin 200 | Cache-Control: max-age=1 | ETag: "1"
        get /a -> asked b1
        wait 2
        get /a -> validated 200 b1 saw(If-None-Match: "1") has(fwd=stale; fwd-status=304)
        get /a -> hit)"},
          Scenario{"WithTheTimeOfTheLastChange", R"(
        origin 200 | Cache-Control: max-age=1 | Last-Modified: @-10
        get /a -> asked
        wait 2
        get /a -> validated 200 b1 saw(If-Modified-Since: )
        get /a -> hit)"},
          Scenario{"WithAWeakTag", R"(
        origin 200 | Cache-Control: max-age=1 | ETag: W/"1"
        get /a -> asked
        wait 2
        get /a -> validated 200 b1)"},
          Scenario{"AnotherContentReplacesTheOld", R"(
        origin 200 | Cache-Control: max-age=1 | ETag: "1"
        get /a -> asked b1
        wait 2
        origin 200 | Cache-Control: max-age=1 | ETag: "2"
        get /a -> asked 200 b2 saw("1")
        get /a -> hit b2)"},
          Scenario{"A304FreshensTheFields", R"(
        origin 200 | Cache-Control: max-age=1 | ETag: "1" | X-A: old | X-B: kept | Content-Type: a/b
        get /a -> asked
        wait 2
        origin 304 | Cache-Control: max-age=50 | ETag: "1" | X-A: new | Content-Type: c/d
        get /a -> validated 200 b1 has(X-A: new) lacks(X-A: old) has(X-B: kept) has(a/b)
        wait 49
        get /a -> hit has(X-A: new) has(max-age=50) lacks(max-age=1))"},
          Scenario{"TheClientsOwnConditionIsAnsweredHere", R"(
        origin 200 | Cache-Control: max-age=10 | ETag: "1" | Content-Type: a/b
        get /a -> asked
        get /a | If-None-Match: "1" -> hit 304 empty has(ETag: "1") lacks(Content-Type)
        get /a | If-None-Match: W/"1" -> hit 304
        get /a | If-None-Match: "0", "1" -> hit 304
        get /a | If-None-Match: * -> hit 304
        get /a | If-None-Match: "2" -> hit 200 b1)"},
          Scenario{"TheClientsDateIsAnsweredHere", R"(
        origin 200 | Cache-Control: max-age=10 | Last-Modified: @-100
        get /a -> asked
        get /a | If-Modified-Since: @-100 -> hit 304
        get /a | If-Modified-Since: @-101 -> hit 200
        get /a | If-Modified-Since: soon -> hit 200
        get /a | If-Modified-Since: @-100 | If-None-Match: "2" -> hit 200)"},
          Scenario{"TheClientsConditionDoesNotReachTheOrigin", R"(
        origin 200 | Cache-Control: max-age=10 | ETag: "1"
        get /a | If-None-Match: "1" -> asked 200 b1 unseen(If-None-Match)
        get /a | If-None-Match: "1" -> hit 304)"},
          Scenario{"NoCacheIsStoredAndValidatedEachTime", R"(
        origin 200 | Cache-Control: no-cache, max-age=10 | ETag: "1"
        get /a -> asked
        get /a -> validated 200 b1
        get /a -> validated 200 b1)"},
          Scenario{"NoCacheOfOneFieldToo", R"(
        origin 200 | Cache-Control: max-age=10, no-cache="X-A" | ETag: "1"
        get /a -> asked
        get /a -> validated)"},
          Scenario{"A304OfAnotherTagSaysNothing", R"(
        origin 200 | Cache-Control: max-age=1 | ETag: "1"
        get /a -> asked
        wait 2
        origin 304 | ETag: "9"
        get /a -> 304 unseen(If-None-Match))"},
          Scenario{"AConditionOnTheOriginsStateGoesThere", R"(
        origin 200 | Cache-Control: max-age=10 | ETag: "1"
        get /a -> asked
        get /a | If-Match: "1" -> asked saw(If-Match)
        get /a | If-Unmodified-Since: @-1 -> asked saw(If-Unmodified-Since))"});

SCENARIOS(RequestDirectives, Scenario{"NoCacheAsksTheOrigin", R"(
        origin 200 | Cache-Control: max-age=10 | ETag: "1"
        get /a -> asked
        get /a | Cache-Control: no-cache -> validated has(fwd=request)
        get /a -> hit)"},
          Scenario{"PragmaNoCacheToo", R"(
        origin 200 | Cache-Control: max-age=10
        get /a -> asked
        get /a | Pragma: no-cache -> asked
        get /a | Pragma: no-cache | Cache-Control: max-age=10 -> hit)"},
          Scenario{"NoStoreIsNotStored", R"(
        origin 200 | Cache-Control: max-age=10
        get /a | Cache-Control: no-store -> asked
        get /a -> asked b1)"},
          Scenario{"MaxAgeBoundsTheAge", R"(
        origin 200 | Cache-Control: max-age=10
        get /a -> asked
        wait 5
        get /a | Cache-Control: max-age=5 -> hit
        get /a | Cache-Control: max-age=4 -> asked)"},
          Scenario{"MinFreshAsksForALongerLife", R"(
        origin 200 | Cache-Control: max-age=10
        get /a -> asked
        wait 5
        get /a | Cache-Control: min-fresh=5 -> hit
        get /a | Cache-Control: min-fresh=6 -> asked)"},
          Scenario{"MaxStaleTakesWhatIsStale", R"(
        origin 200 | Cache-Control: max-age=10
        get /a -> asked
        wait 15
        get /a | Cache-Control: max-stale=5 -> hit age=15 has(ttl=-5)
        get /a | Cache-Control: max-stale=4 -> asked)"},
          Scenario{"MaxStaleWithoutANumberTakesAll", R"(
        origin 200 | Cache-Control: max-age=10
        get /a -> asked
        wait 100000
        get /a | Cache-Control: max-stale -> hit)"},
          Scenario{"MaxStaleNotAgainstTheOriginsWord", R"(
        origin 200 | Cache-Control: max-age=10, must-revalidate
        get /a -> asked
        origin 200 | Cache-Control: max-age=10, proxy-revalidate
        get /b -> asked
        origin 200 | Cache-Control: s-maxage=10
        get /c -> asked
        wait 11
        get /a | Cache-Control: max-stale=60 -> asked
        get /b | Cache-Control: max-stale=60 -> asked
        get /c | Cache-Control: max-stale=60 -> asked)"},
          Scenario{"OnlyIfCachedAsksNobody", R"(
        origin 200 | Cache-Control: max-age=10
        get /a | Cache-Control: only-if-cached -> 504
        get /a -> asked
        get /a | Cache-Control: only-if-cached -> hit 200
        wait 10
        get /a | Cache-Control: only-if-cached -> 504)"});

SCENARIOS(Stale, Scenario{"IfErrorWithoutAnAnswer", R"(
        origin 200 | Cache-Control: max-age=1, stale-if-error=60
        get /a -> asked b1
        wait 60
        origin down
        get /a -> 200 b1 age=60 has(fwd=stale) has(detail=stale-if-error)
        wait 1
        get /a -> 502)"},
          Scenario{"IfErrorWithAnErrorOfTheOrigin", R"(
        origin 200 | Cache-Control: max-age=1, stale-if-error=60
        get /a -> asked b1
        wait 2
        origin 503
        get /a -> 200 b1 has(fwd-status=503)
        origin 404
        get /a -> 404)"},
          Scenario{"IfErrorAsTheRequestHasIt", R"(
        origin 200 | Cache-Control: max-age=1
        get /a -> asked b1
        wait 10
        origin down
        get /a -> 502
        get /a | Cache-Control: stale-if-error=9 -> 502
        get /a | Cache-Control: stale-if-error=10 -> 200 b1)"},
          Scenario{"IfErrorNotAgainstMustRevalidate", R"(
        origin 200 | Cache-Control: max-age=1, stale-if-error=60, must-revalidate
        get /a -> asked b1
        wait 2
        origin down
        get /a -> 502)"},
          Scenario{"IfErrorWithSMaxageAsTheResponseHasItOnly", R"(
        origin 200 | Cache-Control: s-maxage=1
        get /a -> asked
        origin 200 | Cache-Control: s-maxage=1, stale-if-error=60
        get /b -> asked
        wait 2
        origin down
        get /a | Cache-Control: stale-if-error=60 -> 502
        get /b -> 200)"},
          Scenario{"NoWordNoStale", R"(
        origin 200 | Cache-Control: max-age=1 | ETag: "1"
        get /a -> asked
        wait 2
        origin down
        get /a -> 502)"},
          Scenario{"FreshWhileTheOriginIsDown", R"(
        origin 200 | Cache-Control: max-age=10
        get /a -> asked
        origin down
        wait 9
        get /a -> hit 200)"},
          Scenario{"WhileRevalidate", R"(
        origin 200 | Cache-Control: max-age=1, stale-while-revalidate=10
        get /a -> asked b1
        wait 5
        origin 200 | Cache-Control: max-age=1, stale-while-revalidate=10
        get /a -> behind b1 age=5
        get /a -> hit b2)"},
          Scenario{"WhileRevalidateEnds", R"(
        origin 200 | Cache-Control: max-age=1, stale-while-revalidate=10
        get /a -> asked b1
        wait 11
        get /a -> asked)"});

SCENARIOS(Invalidation, Scenario{"ByPut", R"(
        origin 200 | Cache-Control: max-age=10
        get /a -> asked
        put /a -> asked has(200)
        get /a -> asked)"},
          Scenario{"ByPostAndDelete", R"(
        origin 200 | Cache-Control: max-age=10
        get /a -> asked
        post /a -> asked
        get /a -> asked
        get /a -> hit
        delete /a -> asked
        get /a -> asked)"},
          Scenario{"ByAMethodThatIsNotKnown", R"(
        origin 200 | Cache-Control: max-age=10
        get /a -> asked
        frobnicate /a -> asked
        get /a -> asked)"},
          Scenario{"NotByASafeMethod", R"(
        origin 200 | Cache-Control: max-age=10
        get /a -> asked
        options /a -> asked
        head /a -> hit
        get /a -> hit)"},
          Scenario{"NotByARefusedWrite", R"(
        origin 200 | Cache-Control: max-age=10
        get /a -> asked
        origin 405
        put /a -> asked 405
        get /a -> hit)"},
          Scenario{"ByAWriteOfWhichNobodyKnows", R"(
        origin 200 | Cache-Control: max-age=10
        get /a -> asked
        origin down
        put /a -> 502
        get /a -> 502)"},
          Scenario{"OfLocationAndContentLocation", R"(
        origin 200 | Cache-Control: max-age=100
        get /a -> asked
        get /b?q -> asked
        get /c/d -> asked
        origin 201 | Location: /b?q | Content-Location: http://H/c/d#part
        post /x -> asked
        get /a -> hit
        get /b?q -> asked
        get /c/d -> asked)"},
          Scenario{"NotOfAnotherHostsLocation", R"(
        origin 200 | Cache-Control: max-age=100
        get /b -> asked
        origin 201 | Location: http://other/b | Content-Location: ftp://h/b
        post /x -> asked
        get /b -> hit)"},
          Scenario{"OfARelativeLocation", R"(
        origin 200 | Cache-Control: max-age=100
        get /x/b -> asked
        origin 201 | Location: b
        post /x/a -> asked
        get /x/b -> asked)"},
          Scenario{"AllSelectionsGo", R"(
        origin 200 | Cache-Control: max-age=10 | Vary: Accept
        get /a | Accept: x -> asked
        get /a | Accept: y -> asked
        put /a -> asked
        get /a | Accept: x -> asked
        get /a | Accept: y -> asked)"});

SCENARIOS(HeadAndRange, Scenario{"HeadFromTheStoredGet", R"(
        origin 200 | Cache-Control: max-age=10
        get /a -> asked
        head /a -> hit 200 empty has(Content-Length: 2))"},
          Scenario{"HeadAloneIsNotStored", R"(
        origin 200 | Cache-Control: max-age=10
        head /a -> asked 200
        get /a -> asked)"},
          Scenario{"APartOfTheStoredWhole", R"(
        origin 200 | Cache-Control: max-age=10 | ETag: "1"
        get /a -> asked b1
        get /a | Range: bytes=0-0 -> hit 206 b has(Content-Range: bytes 0-0/2)
        get /a | Range: bytes=-2 -> hit 206 b1
        get /a | Range: bytes=5- -> hit 416 empty has(Content-Range: bytes */2)
        get /a | Range: bytes=0-0,1-1 -> hit 200 b1
        get /a | Range: lines=0-0 -> hit 200 b1)"},
          Scenario{"IfRangeDecides", R"(
        origin 200 | Cache-Control: max-age=10 | ETag: "1"
        get /a -> asked b1
        get /a | Range: bytes=0-0 | If-Range: "1" -> hit 206
        get /a | Range: bytes=0-0 | If-Range: "2" -> hit 200
        get /a | Range: bytes=0-0 | If-Range: W/"1" -> hit 200)"},
          Scenario{"APartThatIsNotStoredGoesToTheOrigin", R"(
        origin 200 | Cache-Control: max-age=10
        get /a | Range: bytes=0-0 -> asked saw(Range: bytes=0-0)
        get /a -> asked)"});

}  // namespace
}  // namespace tandem
