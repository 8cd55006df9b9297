// Command kill hurts a running network of real processes while people talk, and measures what they notice.
//
//	go run ./test/kill -times 20
//
// It runs `warren demo --nodes 5`, puts an IRC client on each node, lets them say 200 messages a second together, and then, one phase after
// the other:
//
//   - leader: kill -9 of the node that leads the room, restart, as often as -times says;
//   - backup: kill -9 of a controller that does not lead;
//   - both: kill -9 of the leader's node and of the node of somebody who talks, together;
//   - stop: SIGSTOP of the leader's node in place of kill -9, SIGCONT after some seconds;
//   - rolling: SIGTERM and restart of all nodes, one after the other.
//
// A client whose node dies goes to another node, under another nick, and back home when its node has caught up.
//
// For each phase it prints how long the worst client that kept its node waited for an acknowledgement (the median and the worst of all blows),
// how long clients of a killed node took until they were in the room again at another one, and how often the lead changed without a blow. At the
// end all nodes stop, package test/conform/check reads their disks, and what each client saw is held against that log: nothing that was
// acknowledged may be lost, nothing may come twice, nothing out of its order. The last line is a summary; the exit code is 1 when anything was
// lost, doubled or swapped, or the room did not go on.
//
// Read in this order: main.go, phases.go, network.go, client.go, ledger.go.
package main
