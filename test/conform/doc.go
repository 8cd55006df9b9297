// Package conform shows that Warren works for people: it runs the program as they do (warren demo, warren serve), lets stock clients talk
// (WeeChat, slixmpp, go-sendxmpp) beside small ones of its own, kills and stops nodes under them, throws junk at every port, and lets package
// check read what lies on the disks afterwards.
//
// The tests have the build tag conform, because they need the clients: test/run installs those and runs
//
//	go test -tags conform -count=1 ./test/conform/...
//
// A client that is missing is a failure. WARREN_BIN names a program to test instead of the one that is built from cmd/warren.
//
// Reading order: main_test.go (processes), network_test.go (nodes), irc_test.go, weechat_test.go, xmpp_test.go (clients), then one file per story.
// Nothing may come in that looks into a running node: what people cannot see is for other tests.
package conform
