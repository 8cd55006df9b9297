//go:build conform

package conform

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"gopkg.in/irc.v4"
)

// backIn is within what time somebody whose node was killed is back in the room by another node, from dialling to the end of what was missed.
const backIn = 2 * time.Second

// TestReconnectElsewhere kills the node of people who have accounts, one by each protocol, while others talk. They log in at another node under
// the same names, are in the room again, and read what they missed.
func TestReconnectElsewhere(t *testing.T) {
	n := startDemo(t)
	n.at(1).account(t, "wally")
	n.at(1).account(t, "xena")
	const room = "#lobby"
	muc := room[1:] + "@" + n.MUC
	for _, x := range []*node{n.at(2), n.at(1)} { // both nodes may speak for them
		_ = dialIRC(t, x, "wally", "wally").c.Close()
		_ = dialIRC(t, x, "xena", "xena").c.Close()
	}
	talker := dialIRC(t, n.at(3), "talker", "")
	talker.join(room)
	wally := dialIRC(t, n.at(1), "wally", "wally")
	wally.join(room)
	xena := dialXMPP(t, n.at(1), "xena", "PLAIN")
	xena.join(muc, "xena")
	talker.say(room, "before")
	last := wally.sees(room, "before")
	xena.sees(muc, "before")
	left := time.Now()

	n.at(1).kill(t)
	var missed []string
	for i := range 20 {
		missed = append(missed, fmt.Sprint("missed ", i))
		talker.say(room, missed[i])
	}

	began := time.Now()
	again := dialIRC(t, n.at(2), "wally", "wally")
	again.join(room)
	in := time.Since(began)
	talker.sees(room, missed[len(missed)-1])
	from := again.mark()
	again.send("CHATHISTORY AFTER " + room + " msgid=" + last.id + " 100")
	again.waitFrom(from, "the end of what was missed", func(m *irc.Message) bool { return m.Command == "BATCH" && m.Param(0)[0] == '-' })
	took := time.Since(began)
	t.Logf("IRC: in the room again after %d ms, with what was missed after %d ms", in.Milliseconds(), took.Milliseconds())
	if took > backIn {
		t.Errorf("IRC: it took %v", took)
	}
	if again.nick != "wally" || !slices.Contains(again.names(room), "wally") || slices.ContainsFunc(again.names(room), func(n string) bool { return n == "wally~n2" }) {
		t.Errorf("IRC: in the room are %v", again.names(room))
	}
	var got []string
	again.mu.Lock()
	for _, m := range again.lines { // what was said while it came may be there live
		if m.Command == "PRIVMSG" && m.Name == "talker" {
			got = append(got, m.Trailing())
		}
	}
	again.mu.Unlock()
	slices.Sort(got)
	for _, text := range missed {
		if _, ok := slices.BinarySearch(got, text); !ok {
			t.Errorf("IRC: %q is missing", text)
		}
	}

	began = time.Now()
	back := dialXMPP(t, n.at(2), "xena", "PLAIN")
	logged := time.Since(began)
	back.do(map[string]string{"do": "join", "room": muc, "nick": "xena", "since": left.UTC().Format("2006-01-02T15:04:05.000Z")})
	back.wait("itself", func(e xmppEvent) bool { return e.Event == "presence" && e.Room == muc && slices.Contains(e.Codes, 110) })
	for _, text := range missed {
		back.sees(muc, text)
	}
	took = time.Since(began)
	t.Logf("XMPP: logged in after %d ms, the start of slixmpp included; with what was missed after %d ms", logged.Milliseconds(), took.Milliseconds())
	if took > backIn+time.Second { // python starts slowly beside four nodes on two cores
		t.Errorf("XMPP: it took %v", took)
	}
	back.say(muc, "xena is back")
	talker.sees(room, "xena is back")
	again.say(room, "wally is back")
	talker.sees(room, "wally is back")
}
