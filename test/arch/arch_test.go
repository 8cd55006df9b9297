package arch

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func TestTheHouseStandsAsItIsDrawn(t *testing.T) {
	found, err := Check(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range found {
		t.Error(line)
	}
}

func TestPurePackagesThatExistAreFound(t *testing.T) {
	for _, p := range []string{"perms", "rooms", "rooms/errs", "rooms/placement", "rooms/order", "bridge/names", "node/bootstrap/invite"} {
		if _, err := os.Stat("../../" + p); err != nil {
			t.Errorf("the rule speaks of a package that is not there: %v", err)
		}
	}
}

func TestCheckFindsWhatBreaksTheRule(t *testing.T) {
	tests := map[string]struct {
		file, code string
		want       string // part of the only complaint; empty: none
	}{
		"left to right is fine":                     {"bridge/irc/a.go", `import _ "warren/rooms"`, ""},
		"cmd knows everybody":                       {"cmd/warren/a.go", `import (_ "warren/node"; _ "warren/bridge/irc")`, ""},
		"a folder imports itself":                   {"rooms/order/a.go", `import _ "warren/rooms"`, ""},
		"perms does not know rooms":                 {"perms/a.go", `import _ "warren/rooms"`, "perms may not import rooms"},
		"rooms does not know search":                {"rooms/replica/a.go", `import _ "warren/search"`, "may not import search"},
		"rooms does not know node":                  {"rooms/replica/a.go", `import _ "warren/node/store"`, "may not import node/store"},
		"node does not know bridge":                 {"node/a.go", `import _ "warren/bridge"`, "node may not import bridge"},
		"bridge does not know node":                 {"bridge/login/a.go", `import _ "warren/node/account"`, "bridge/login may not import node/account"},
		"nobody knows cmd":                          {"node/a.go", `import _ "warren/cmd/warren"`, "may not import cmd/warren"},
		"the program does not know its tests":       {"cmd/warren/a.go", `import _ "warren/test/world"`, "may not import test/world"},
		"IRC does not know XMPP":                    {"bridge/irc/a.go", `import _ "warren/bridge/xmpp"`, "the floor above"},
		"XMPP does not know IRC":                    {"bridge/xmpp/a.go", `import _ "warren/bridge/irc"`, "the floor above"},
		"placement does not know order":             {"rooms/placement/a.go", `import _ "warren/rooms/order"`, "the floor above"},
		"a room that is not in the house":           {"util/a.go", ``, "no such room"},
		"a file at the front door":                  {"a.go", ``, "no such room"},
		"tests may import anything":                 {"perms/a_test.go", `import (_ "warren/node"; _ "net")`, ""},
		"what lies in test may import anything":     {"test/sim/a.go", `import (_ "warren/node"; _ "github.com/libp2p/go-libp2p")`, ""},
		"testdata is no program":                    {"perms/testdata/a.go", `import _ "net"`, ""},
		"libp2p at home":                            {"node/overlay/a.go", `import _ "github.com/libp2p/go-libp2p/core/host"`, ""},
		"libp2p elsewhere":                          {"node/bootstrap/a.go", `import _ "github.com/libp2p/go-libp2p/core/host"`, "that is for node/overlay"},
		"multiaddr in the config":                   {"node/config/a.go", `import _ "github.com/multiformats/go-multiaddr"`, ""},
		"multihash in the config":                   {"node/config/a.go", `import _ "github.com/multiformats/go-multihash"`, "that is for node/overlay"},
		"bbolt at home":                             {"node/store/bolt/a.go", `import _ "go.etcd.io/bbolt"`, ""},
		"bbolt elsewhere":                           {"node/a.go", `import _ "go.etcd.io/bbolt"`, "that is for node/store"},
		"raft at home":                              {"rooms/order/a.go", `import _ "go.etcd.io/raft/v3/raftpb"`, ""},
		"raft elsewhere":                            {"rooms/replica/a.go", `import _ "go.etcd.io/raft/v3"`, "that is for rooms/order"},
		"IRC's library elsewhere":                   {"bridge/a.go", `import _ "github.com/ergochat/irc-go/ircmsg"`, "that is for bridge/irc"},
		"mellium at home":                           {"bridge/xmpp/a.go", `import _ "mellium.im/xmpp/jid"`, ""},
		"mellium elsewhere":                         {"bridge/names/a.go", `import _ "mellium.im/xmpp/jid"`, "that is for bridge/xmpp"},
		"mellium's sasl is for tests":               {"bridge/xmpp/a.go", `import _ "mellium.im/sasl"`, "it is for tests"},
		"rapid is for tests":                        {"node/a.go", `import _ "pgregory.net/rapid"`, "it is for tests"},
		"a package made for tests":                  {"node/store/storetest/a.go", `import _ "pgregory.net/rapid"`, ""},
		"a pure package has no net":                 {"rooms/a.go", `import _ "net/http"`, "may not import net/http"},
		"a pure package has no disk":                {"rooms/order/a.go", `import _ "os"`, "may not import os"},
		"a pure package has no chance":              {"perms/a.go", `import _ "math/rand/v2"`, "may not import math/rand/v2"},
		"an address is a value":                     {"node/bootstrap/invite/a.go", `import _ "net/netip"`, ""},
		"a pure package leans on pure ones only":    {"search/query/a.go", `import _ "warren/rooms/replica"`, "may not import rooms/replica, which is not"},
		"a thin package may have net":               {"rooms/replica/a.go", `import _ "net"`, ""},
		"a pure package starts no goroutine":        {"rooms/a.go", "func f() { go f() }", "no goroutine"},
		"a pure package asks no clock":              {"rooms/a.go", "import \"time\"\nvar _ = time.Now", "time.Now asks the clock"},
		"a pure package does not sleep":             {"perms/a.go", "import t \"time\"\nfunc f() { t.Sleep(1) }", "time.Sleep asks the clock"},
		"a duration is a value":                     {"rooms/a.go", "import \"time\"\nconst x = time.Second", ""},
		"a method that is called Now":               {"rooms/a.go", "import \"time\"\ntype c struct{}\nfunc (c) Now() time.Duration { return 0 }\nfunc f(time c) { time.Now() }", ""},
		"a thin package may ask the clock":          {"node/a.go", "import \"time\"\nvar _ = time.Now", ""},
		"a pure package has no init":                {"rooms/a.go", "func init() {}", "no init"},
		"a variable that is set once":               {"rooms/a.go", "var table = [2]int{1, 2}\nfunc f() int { return table[0] }", ""},
		"a variable that is assigned":               {"rooms/a.go", "var n int\nfunc f() { n = 1 }", "the package's n may not be changed"},
		"a variable that is counted up":             {"rooms/a.go", "var n int\nfunc f() { n++ }", "the package's n"},
		"a table that is filled":                    {"rooms/a.go", "var m = map[int]int{}\nfunc f() { m[1] = 2 }", "the package's m"},
		"a table that is emptied":                   {"rooms/a.go", "var m = map[int]int{}\nfunc f() { delete(m, 1) }", "the package's m"},
		"a variable whose address is given away":    {"rooms/a.go", "var n int\nfunc f() *int { return &n }", "the package's n"},
		"a local variable of the same name is fine": {"rooms/a.go", "var n int\nfunc f() { n := 0; n++; _ = n }", ""},
		"an argument of the same name is fine":      {"rooms/a.go", "var n int\nfunc f(n int) { n = 3; _ = n }", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tree := fstest.MapFS{tt.file: {Data: []byte("package p\n" + tt.code + "\n")}}
			found, err := Check(tree)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				if len(found) > 0 {
					t.Errorf("complains: %v", found)
				}
				return
			}
			if len(found) != 1 || !strings.Contains(found[0], tt.want) {
				t.Errorf("got %q, want one complaint with %q", found, tt.want)
			}
		})
	}
}

func TestAVariableOfAnotherFileIsTheSamePackages(t *testing.T) {
	found, err := Check(fstest.MapFS{
		"rooms/a.go": {Data: []byte("package rooms\nvar n int\n")},
		"rooms/b.go": {Data: []byte("package rooms\nfunc f() { n = 1 }\n")},
	})
	if err != nil || len(found) != 1 || !strings.Contains(found[0], "rooms/b.go:2") {
		t.Errorf("got %q, %v", found, err)
	}
}

func TestAFileThatIsNoGoIsAnError(t *testing.T) {
	if _, err := Check(fstest.MapFS{"rooms/a.go": {Data: []byte("package")}}); err == nil {
		t.Error("accepted")
	}
}
