package irc

import (
	"strings"
	"testing"
)

func TestAFrozenChannelSaysSoAndTalkGoesOnProvisionally(t *testing.T) {
	w := newWorld(t)
	ann := w.user(0, "ann", "echo-message", "message-tags")
	bob := w.user(1, "bob") // a simple client
	cyd := w.user(1, "cyd", "message-tags", "standard-replies")
	w.script(`
		ann> JOIN #c
		ann< 366
		bob> JOIN #c
		bob< 366
		cyd> JOIN #c
		cyd< 366
		ann< JOIN
		ann< JOIN`)
	room := w.hubs[0].Sessions()[0].Seat("c").Room().ID()
	w.net.Freeze(room, true)
	for _, c := range []*client{ann, bob, cyd} {
		c.expect("MODE #c +F", "NOTICE #c :this room is frozen ... quorum ... provisional")
	}
	w.script(`
		ann> MODE #c
		ann< 324 ann #c +Fn
		ann> PRIVMSG #c :hello there
		ann< warren/provisional ... PRIVMSG #c :hello there
		cyd< warren/provisional ... :ann!~ann@ ... PRIVMSG #c :hello there
		bob< :ann!~ann@ ... PRIVMSG #c :[provisional] hello there
		bob> PRIVMSG #c :` + "\x01ACTION waves\x01" + `
		bob! PRIVMSG
		ann< warren/provisional ... PRIVMSG #c :` + "\x01ACTION waves\x01" + `
		ann> TOPIC #c :new
		ann< 437 ann #c ... frozen ... quorum
		ann> KICK #c bob
		ann< 437 ann #c
		ann> MODE #c +m
		ann< 437 ann #c
		bob> JOIN #c2
		bob< 366
		ann> CHATHISTORY LATEST #c * 10
		ann! PRIVMSG`)
	w.net.Freeze(room, false)
	w.script(`
		ann< warren/confirmed= ... NOTICE #c :confirmed: "hello there"
		ann< warren/confirmed= ... TAGMSG #c
		ann< MODE #c -F
		ann< NOTICE #c :this room goes on
		bob< NOTICE #c :confirmed: "waves"
		bob< MODE #c -F
		cyd< warren/confirmed= ... TAGMSG #c
		cyd< MODE #c -F
		ann! PRIVMSG
		bob! PRIVMSG
		cyd! PRIVMSG
		ann> MODE #c
		ann< 324 ann #c +n
		ann> PRIVMSG #c :as ever
		bob< PRIVMSG #c :as ever`)
}

func TestProvisionalTalkKeepsItsMsgid(t *testing.T) {
	w := newWorld(t)
	caps := []string{"echo-message", "message-tags", "batch", "draft/chathistory", "server-time"}
	ann, bob := w.user(0, "ann", caps...), w.user(1, "bob", caps...)
	w.script(`
		ann> JOIN #c
		ann< 366
		bob> JOIN #c
		bob< 366`)
	room := w.hubs[0].Sessions()[0].Seat("c").Room().ID()
	w.net.Freeze(room, true)
	ann.send("PRIVMSG #c :kept")
	msgid := func(line string) string {
		_, rest, _ := strings.Cut(line, "msgid=")
		id, _, _ := strings.Cut(strings.ReplaceAll(rest, " ", ";"), ";")
		return id
	}
	id := msgid(ann.expect("warren/provisional ... PRIVMSG #c :kept"))
	if other := msgid(bob.expect("warren/provisional ... PRIVMSG #c :kept")); id == "" || other != id {
		t.Errorf("msgids %q and %q", id, other)
	}
	w.net.Freeze(room, false)
	bob.expect("warren/confirmed=" + id)
	bob.send("CHATHISTORY LATEST #c * 10")
	line := bob.expect("PRIVMSG #c :kept")
	if msgid(line) != id || strings.Contains(line, "provisional") {
		t.Errorf("in the history: %s", line)
	}
}

func TestWhoLeavesAFrozenChannelIsNotKept(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.user(0, "ann"), w.user(1, "bob")
	w.script(`
		ann> JOIN #c
		ann< 366
		bob> JOIN #c
		bob< 366`)
	room := w.hubs[0].Sessions()[0].Seat("c").Room().ID()
	w.net.Freeze(room, true)
	ann.send("PRIVMSG #c :goodbye")
	bob.expect("[provisional] goodbye")
	ann.send("PART #c")
	ann.expect("PART #c") // at once
	w.net.Freeze(room, false)
	bob.expect("PART #c")
	bob.none("PRIVMSG")
}
