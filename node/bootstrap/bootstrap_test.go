package bootstrap

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"warren/rooms"
)

var network = [32]byte{1, 2, 3}

func TestMessagesSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		addrs := rapid.SliceOfN(rapid.StringMatching(`/ip4/[0-9.]{7}/tcp/[0-9]{1,5}`), 0, maxAddrs)
		r := Request{Link: rapid.StringMatching(`(warren:[a-z]{1,40})?`).Draw(t, "link"), Name: rapid.StringMatching(`[a-z]{0,32}`).Draw(t, "name"), Label: rapid.StringMatching(`[a-z ]{0,64}`).Draw(t, "label"), Addrs: addrs.Draw(t, "addrs")}
		got, err := DecodeRequest(r.Encode())
		if err != nil || !cmp.Equal(r, got) {
			t.Fatalf("%v, %s", err, cmp.Diff(r, got))
		}
		a := Answer{State: rapid.SampledFrom([]State{Pending, Admitted}).Draw(t, "state"), Addrs: addrs.Draw(t, "members"), Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data")}
		back, err := DecodeAnswer(a.Encode())
		if err != nil || !cmp.Equal(a, back) {
			t.Fatalf("%v, %s", err, cmp.Diff(a, back))
		}
	})
}

func TestMalformedMessagesAreRefused(t *testing.T) {
	good := Request{Name: "n1"}.Encode()
	for name, b := range map[string][]byte{
		"empty":                      nil,
		"the overlay's own kind":     append([]byte{0}, good[1:]...),
		"invited without link":       append([]byte{kindInvited}, good[1:]...),
		"cut off":                    good[:len(good)-1],
		"something appended":         append(bytes.Clone(good), 0),
		"a terminal escape":          Request{Name: "a\x1b[2J"}.Encode(),
		"too many addresses":         Request{Addrs: make([]string, maxAddrs+1)}.Encode(),
		"an address that is none":    Request{Addrs: []string{"example.org"}}.Encode(),
		"a label that is longer":     Request{Label: strings.Repeat("a", maxLabel+1)}.Encode(),
		"a name that is much longer": Request{Name: strings.Repeat("a", MaxNodeName+1)}.Encode(),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := DecodeRequest(b); !errors.Is(err, ErrMessage) {
				t.Errorf("got %v, want ErrMessage", err)
			}
		})
	}
	if _, err := DecodeAnswer(Answer{State: 9}.Encode()); !errors.Is(err, ErrMessage) {
		t.Errorf("an unknown state: got %v", err)
	}
}

func TestCodesAreReadAsPeopleTypeThem(t *testing.T) {
	code := Code(network, rooms.NodeID{5})
	for _, typed := range []string{code, strings.ToUpper(code), strings.ReplaceAll(code, "-", ""), " " + strings.ReplaceAll(code, "-", " ") + " "} {
		if got, err := NormalCode(typed); err != nil || got != code {
			t.Errorf("%q is read as %q, %v", typed, got, err)
		}
	}
	if got, err := NormalCode("oil0-0000"); err != nil || got != "0110-0000" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, typed := range []string{"", "k3f7", "k3f7-92mu", strings.Repeat("0", 100)} {
		if _, err := NormalCode(typed); !errors.Is(err, ErrCode) {
			t.Errorf("%q: got %v, want ErrCode", typed, err)
		}
	}
	if Code([32]byte{}, rooms.NodeID{5}) == code || Code(network, rooms.NodeID{6}) == code {
		t.Error("another network or node has the same code")
	}
}

func TestWaiting(t *testing.T) {
	var w Waiting
	now := time.Unix(1000, 0)
	n, tell, err := w.Knock(network, rooms.NodeID{1}, Request{Name: "laptop"}, now)
	if err != nil || !tell {
		t.Fatalf("the first knock: %v, tell %v", err, tell)
	}
	if _, tell, err := w.Knock(network, rooms.NodeID{1}, Request{Name: "laptop"}, now.Add(passOn-1)); err != nil || tell || len(w.List(now)) != 1 {
		t.Errorf("a second knock: %v, tell %v, %d wait", err, tell, len(w.List(now)))
	}
	if _, tell, _ := w.Knock(network, rooms.NodeID{1}, Request{Name: "laptop"}, now.Add(passOn)); !tell {
		t.Error("the others forget who goes on knocking")
	}
	if _, err := w.Find("0000-0000", now); !errors.Is(err, ErrNobody) {
		t.Errorf("a wrong code: got %v", err)
	}
	for range 2 { // the first answer may have failed
		if got, err := w.Find(n.Code, now.Add(time.Minute)); err != nil || got.ID != n.ID || got.Name != "laptop" {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	w.Admitted(n.ID)
	if _, err := w.Find(n.Code, now); !errors.Is(err, ErrNobody) {
		t.Errorf("the code of somebody inside: got %v", err)
	}
	for i := range byte(MaxWaiting) {
		if _, _, err := w.Knock(network, rooms.NodeID{2, i}, Request{}, now); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := w.Knock(network, rooms.NodeID{3}, Request{}, now); !errors.Is(err, ErrCrowded) {
		t.Errorf("one too many: got %v", err)
	}
	if _, _, err := w.Knock(network, rooms.NodeID{3}, Request{}, now.Add(WaitingTime+1)); err != nil || len(w.List(now)) != 1 {
		t.Errorf("after the others gave up: %v", err)
	}
	// Two with one code: one of them cheats.
	w.list = append(w.list, Newcomer{ID: rooms.NodeID{4}, Code: Code(network, rooms.NodeID{3}), Last: now.Add(WaitingTime)})
	if _, err := w.Find(Code(network, rooms.NodeID{3}), now); !errors.Is(err, ErrNobody) {
		t.Errorf("an ambiguous code: got %v", err)
	}
}

func TestWhatMembersTellLeavesRoomForWhoKnocksHere(t *testing.T) {
	var w Waiting
	now := time.Unix(1000, 0)
	for i := range byte(MaxWaiting) {
		if err := w.Heard(network, rooms.NodeID{2, i}, Request{}, now); (err == nil) != (int(i) < maxHearsay) {
			t.Fatalf("number %d: %v", i, err)
		}
	}
	for i := range byte(MaxWaiting - maxHearsay) {
		if _, _, err := w.Knock(network, rooms.NodeID{3, i}, Request{}, now); err != nil {
			t.Fatalf("knock %d: %v", i, err)
		}
	}
	if _, _, err := w.Knock(network, rooms.NodeID{4}, Request{}, now); !errors.Is(err, ErrCrowded) {
		t.Errorf("one too many: got %v", err)
	}
	// Who was told of and knocks here too is one.
	if _, tell, err := w.Knock(network, rooms.NodeID{2, 0}, Request{}, now); err != nil || !tell || len(w.List(now)) != MaxWaiting {
		t.Errorf("%v, tell %v, %d wait", err, tell, len(w.List(now)))
	}
}

func TestWordOfAKnockSurvivesTheWire(t *testing.T) {
	want := Word{Node: rooms.NodeID{7}, Request: Request{Name: "laptop", Label: "home"}}
	got, err := DecodeWord(want.Encode())
	if err != nil || !cmp.Equal(want, got) {
		t.Fatalf("%v, %s", err, cmp.Diff(want, got))
	}
	for name, bad := range map[string][]byte{
		"empty":          nil,
		"no request":     make([]byte, len(rooms.NodeID{})),
		"with a link":    Word{Node: want.Node, Request: Request{Link: "warren:x"}}.Encode(),
		"a control code": Word{Node: want.Node, Request: Request{Name: "a\x1b"}}.Encode(),
	} {
		if _, err := DecodeWord(bad); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: got %v, want ErrMessage", name, err)
		}
	}
}

func TestPick(t *testing.T) {
	a, b := Nearby{Name: "physics", ID: [32]byte{1}}, Nearby{Name: "Chess", ID: [32]byte{2}}
	found := []Nearby{a, b}
	for what, want := range map[string]Nearby{"physics": a, "chess": b, rooms.Hash(a.ID).String()[:6]: a} {
		if got, err := Pick(found, what); err != nil || got.ID != want.ID {
			t.Errorf("%s: got %+v, %v", what, got, err)
		}
	}
	if _, err := Pick(nil, "x"); !errors.Is(err, ErrNoneFound) {
		t.Errorf("got %v, want ErrNoneFound", err)
	}
	if _, err := Pick(append(found, Nearby{Name: "CHESS", ID: [32]byte{3}}), "chess"); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("got %v, want ErrAmbiguous", err)
	}
	if _, err := Pick(found, "maths"); err == nil || !strings.Contains(err.Error(), "physics") {
		t.Errorf("got %v, want the names that were found", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Word{Node: rooms.NodeID{1}, Request: Request{Name: "n"}}.Encode())
	f.Add(Request{Link: "warren:x", Name: "n", Addrs: []string{"/ip4/1.2.3.4/tcp/1"}}.Encode())
	f.Add(Answer{State: Admitted, Data: []byte("d")}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := DecodeRequest(b); err == nil && (len(r.Addrs) > maxAddrs || len(r.Name) > MaxNodeName) {
			t.Error("over a limit")
		}
		_, _ = DecodeAnswer(b)
	})
}
