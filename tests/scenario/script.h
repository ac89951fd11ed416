// A scenario file, and what comes of it.
//
//     # a comment, or an empty line: for the reader
//     > a command
//         12 ms  what was seen after it, since the command
//
// The commands:
//     balancer NAME...  begin NAME as a balancer, or start it again
//     follower NAME MASTER
//     server NAME... [zone ZONE]  the same, of servers; 100 ms from one to the next
//     run TIME
//     kill | vanish | freeze | thaw NAME...    a process; a host, without a word
//     stop NAME         SIGTERM of a server
//     cut | heal A B    between two
//     accuse BY SERVER  BY is wrong and says that SERVER is dead
//     ring | servers | counts BALANCER; watches   what is so now
//     quietly COMMAND   nothing is said of it
#pragma once

#include <string>

#include "common/base/result.h"

namespace tandem::scenario {

// The text with what the commands in it bring about today in the place of what it says that they
// do. An error names the line.
Result<std::string> play(const std::string& text);

}  // namespace tandem::scenario
