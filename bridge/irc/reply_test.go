package irc

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"warren/bridge"
	"warren/rooms/errs"
)

func TestEveryKindOfErrorHasItsAnswer(t *testing.T) {
	for k := errs.Void; k < errs.Internal; k++ {
		ok := false
		for _, e := range errorTable() {
			ok = ok || e.kind == k && e.command == "" && (e.numeric == "") != (e.fail == "") && e.text != ""
		}
		if !ok {
			t.Errorf("%q has no row for all commands", k)
		}
	}
}

func TestCapabilitiesAreNamedInOrder(t *testing.T) {
	for name, want := range map[string]caps{
		"account-notify": capAccountNotify, "batch": capBatch, "draft/chathistory": capChathistory, "echo-message": capEchoMessage, "extended-monitor": capExtendedMonitor,
		"labeled-response": capLabeledResponse, "message-tags": capMessageTags, "sasl": capSASL, "userhost-in-names": capUserhostInNames, "": 0, "nonsense": 0,
	} {
		if got := capByName(name); got != want {
			t.Errorf("%s is %b, want %b", name, got, want)
		}
	}
	if lines := capList(capNames(), func(string) string { return "" }, 60); len(lines) < 4 || strings.Join(lines, " ") != strings.Join(capNames(), " ") {
		t.Errorf("%q", lines)
	}
}

func TestASlowCommandHoldsOthersTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := bridge.New(bridge.Config{World: newWorldInBubble(t)})
		s := New(Config{Hub: hub})
		defer hub.Close()
		defer s.Close()
		near, far := net.Pipe()
		defer near.Close()
		c := newConn(s, far, "pipe", false)
		c.setCaps(capLabeledResponse | capBatch)
		begin := time.Now()
		r := c.begin("L")
		c.await(r, func(ctx context.Context) {
			select {
			case <-time.After(5 * time.Second):
			case <-ctx.Done():
			}
			r.num("403", "#c", "No such channel")
		})
		r.release()
		if d := time.Since(begin); d != bridge.BarrierLimit {
			t.Errorf("held for %v", d)
		}
		if got, _ := c.out.take(nil); len(got) != 0 {
			t.Errorf("answered too early: %q", got)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if got, _ := c.out.take(nil); len(got) != 1 || !strings.HasPrefix(string(got[0]), "@label=L ") {
			t.Errorf("late answer: %q", got)
		}
		c.cancel()
	})
}

func TestLargeAnswersDropNobody(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.SendQueue = 4 << 10 })
	ann := w.user(0, "ann", "batch", "draft/chathistory")
	w.script("ann> JOIN #c\nann< 366")
	for i := range 300 {
		ann.send(fmt.Sprintf("PRIVMSG #c :%d %s", i, strings.Repeat("x", 300)))
	}
	ann.send("CHATHISTORY LATEST #c * 300", "CHATHISTORY LATEST #c * 300")
	for range 2 {
		if lines, _ := ann.batch("chathistory"); len(lines) != 300 {
			t.Errorf("%d lines", len(lines))
		}
	}
	ann.sync()
}

func TestPipelinedCommandsSeeEachOther(t *testing.T) {
	w := newWorld(t)
	ann := w.user(1, "ann")
	ann.send("JOIN #c", "TOPIC #c :first", "TOPIC #c", "MODE #c +m", "MODE #c", "MODE #c +b x", "MODE #c b", "PART #c", "NAMES #c", "JOIN #c")
	ann.expect("366 ann #c", "TOPIC #c :first", "332 ann #c :first", "MODE #c +m", "324 ann #c +mnt", "MODE #c +b x!*@*", "367 ann #c x!*@*", "368", "PART #c",
		"366 ann #c", "JOIN #c", "332", "366")
}

func TestSplitText(t *testing.T) {
	tests := []struct {
		text string
		room int
		want string
	}{
		{"one", 10, "one"},
		{"a\n\nb\r\nc", 10, "a|b|c"},
		{"one two three", 8, "one two|three"},
		{"aaaaaaaaaa", 4, "aaaa|aaaa|aa"},
		{"ääää", 5, "ää|ää"},
		{"\n", 5, ""},
	}
	for _, tt := range tests {
		if got := strings.Join(splitText(tt.text, tt.room), "|"); got != tt.want {
			t.Errorf("splitText(%q, %d) = %q, want %q", tt.text, tt.room, got, tt.want)
		}
	}
}

func TestLinesCannotBeInjected(t *testing.T) {
	l := &line{source: "s", command: "PRIVMSG", params: []string{"a b", "x\r\nQUIT :y\x00"}, client: map[string]string{"bad key": "v", "ok": "a;b c\n"}, need: 0}
	got := string(l.bytes(capMessageTags))
	if strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, ":s PRIVMSG a_b :x QUIT :y\r\n") {
		t.Errorf("%q", got)
	}
}
