package irc

import (
	"testing"

	"warren/bridge"
)

// TestTicksAreForWhoAsks: a bot is told of them by a tag, or as text when it reads no tags; nobody else sees anything of them.
func TestTicksAreForWhoAsks(t *testing.T) {
	w := newWorld(t)
	w.user(0, "ann", "message-tags", "echo-message")
	w.user(0, "bob") // a simple client
	w.user(0, "cyd", "message-tags")
	w.script(`
		ann> JOIN #c
		ann< 366
		bob> JOIN #c
		bob< 366
		cyd> JOIN #c
		cyd< 366`)
	ask := func(nick string, on bool) *bridge.Seat {
		for _, s := range w.hubs[0].Sessions() {
			if s.Nick() == nick {
				s.Seat("c").Ticks(on)
				return s.Seat("c")
			}
		}
		t.Fatalf("no session of %s", nick)
		return nil
	}
	room := ask("ann", true).Room().ID()
	ask("bob", true)
	w.net.Tick(room, bridge.Tick{Height: 41, Time: 1_767_225_600_000})
	w.script(`
		ann< warren/event={"op":"tick" ... "height":41,"time":1767225600000} ... TAGMSG #c
		bob< NOTICE #c :{"op":"tick" ... "height":41
		cyd! tick
		bob> PART #c
		bob< PART #c
		bob> JOIN #c
		bob< 366`)
	ask("ann", false)
	w.net.Tick(room, bridge.Tick{Height: 42, Time: 1_767_225_600_050})
	w.script(`
		ann! :42
		bob! :42
		cyd! tick`)
}

// TestTicksGiveWay: a client that does not keep up is told of fewer ticks, and stays.
func TestTicksGiveWay(t *testing.T) {
	q := newQueue(100)
	if !q.easy() || !q.push(make([]byte, 60), false) || q.easy() {
		t.Error("a queue that is more than half full takes what can be left out")
	}
	q.take(nil)
	if !q.easy() {
		t.Error("an empty one does not")
	}
}
