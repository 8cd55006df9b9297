package overlay

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// off gives a node a clock that is off by d.
func off(d time.Duration) func(*Config) {
	return func(c *Config) { c.Now = func() time.Time { return time.Now().Add(d) } }
}

// A wrong clock is seen by the node that has it, and blamed on nobody else.
func TestWrongClockIsSeen(t *testing.T) {
	r := members(1, 2, 3)
	var said bytes.Buffer
	log := func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&said, nil)) }
	a, b, late := newNode(t, 1, r), newNode(t, 2, r, off(5*time.Second)), newNode(t, 3, r, off(-time.Hour), log)
	a.dial(b)
	a.dial(late)
	b.dial(late)
	for _, n := range []struct{ of, other *node }{{a, b}, {a, late}, {b, a}, {b, late}, {late, a}, {late, b}} {
		n.of.waitPeer(n.other.id, true)
	}
	for _, n := range []*node{a, b} {
		if c := n.Clock(); c.Wrong() || c.Heard != 2 || c.Ahead.Abs() > 6*time.Second {
			t.Errorf("a clock that is right: %+v", c)
		}
	}
	if c := late.Clock(); !c.Wrong() || c.Ahead > -time.Hour+time.Minute || c.Ahead < -time.Hour-time.Minute {
		t.Errorf("a clock that is an hour behind: %+v", c)
	}
	for _, p := range a.Peers() {
		if p.ID == late.id && (p.Ahead > -time.Hour+time.Minute || p.Ahead < -time.Hour-time.Minute) {
			t.Errorf("the other one's clock is ahead by %v", p.Ahead)
		}
	}
	now := time.Now()
	warned := late.watchClock(now, time.Time{})
	if late.watchClock(now.Add(time.Minute), warned) != warned || late.watchClock(now.Add(2*clockReminder), warned) == warned {
		t.Error("people are not reminded once an hour")
	}
	if n := strings.Count(said.String(), "clock is wrong"); n != 2 {
		t.Errorf("said %d times: %s", n, &said)
	}
	late.cfg.Now = time.Now // somebody has set it
	if c := late.Clock(); c.Wrong() {
		t.Errorf("after it was set: %+v", c)
	}
	if !late.watchClock(now, warned).IsZero() {
		t.Error("it is not said to be right again")
	}
}

func TestWhoIsBetweenTwoWrongClocksIsRight(t *testing.T) {
	for _, c := range []struct{ a, b, want time.Duration }{
		{-time.Hour, time.Minute, 0},
		{-time.Hour, -time.Minute, -time.Minute},
		{time.Minute, time.Hour, time.Minute},
		{0, time.Hour, 0},
	} {
		if got := nearer(c.a, c.b); got != c.want {
			t.Errorf("%v and %v: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

// Whose clock is far behind takes no certificate for valid; libp2p tells by a text.
func TestCertificatesOfTomorrow(t *testing.T) {
	r := members(1, 2)
	a := newNode(t, 1, r)
	p := a.peer(keyID(2))
	for _, c := range []struct {
		text string
		want bool
	}{
		{"CRYPTO_ERROR 0x12a (local): certificate verification failed: x509: certificate has expired or is not yet valid: current time 2026-01-01T00:00:00Z is before 2026-01-02T00:00:00Z", true},
		{"connect: connection refused", false},
	} {
		if got := untimely(errors.New(c.text)); got != c.want {
			t.Errorf("%s: %v", c.text, got)
		}
	}
	p.mu.Lock()
	p.untimely = true
	p.mu.Unlock()
	if c := a.Clock(); !c.Wrong() || c.Refused != 1 {
		t.Errorf("nobody can be reached: %+v", c)
	}
}
