// Package bench measures a whole network: nodes as the program runs them, with real stores on the disk and libp2p over loopback, in one
// process. What single packages cost is measured beside them; docs/BENCH.md gathers all of it.
//
//	go test -bench . ./test/bench
//
// It holds benchmarks only, no tests.
package bench
