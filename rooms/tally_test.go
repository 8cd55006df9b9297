package rooms

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// roomOf is a room of n controllers in which nothing is certified.
func roomOf(n int) RoomRecord {
	rec := RoomRecord{ID: Hash{1}, FloorHead: Hash{1}}
	for i := range n {
		rec.Now = append(rec.Now, id(fmt.Sprint("c", i)))
	}
	SortNodes(rec.Now)
	return rec
}

// TestStatementsNeverDropWhatIsCertified draws what controllers really signed, f of them in any way they like, and what some of them say about it, those
// f whatever they like. If the statements suffice, everything that has a real quorum is in the new epoch.
func TestStatementsNeverDropWhatIsCertified(t *testing.T) {
	enough, carried, unclear := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 3, 4, 5, 7}).Draw(t, "n")
		rec := roomOf(n)
		const top = 3
		header := func(branch int, height uint64) Hash { return Hash{byte(branch + 1), byte(height)} }
		signed := make([]map[Hash]bool, n) // truly
		branch := make([]int, n)           // of an honest one
		length := make([]uint64, n)
		for i := range n {
			signed[i] = map[Hash]bool{}
			branch[i], length[i] = rapid.IntRange(0, 1).Draw(t, "branch"), uint64(rapid.IntRange(0, top).Draw(t, "length"))
			for h := uint64(1); h <= top; h++ {
				if i < Faults(n) { // a traitor
					for b := range 2 {
						signed[i][header(b, h)] = rapid.Bool().Draw(t, "signed")
					}
				} else if h <= length[i] {
					signed[i][header(branch[i], h)] = true
				}
			}
		}
		certified := func(b int, h uint64) bool {
			votes := 0
			for i := range n {
				if signed[i][header(b, h)] {
					votes++
				}
			}
			return votes >= Quorum(n)
		}
		var stated []Statement
		for i := range n {
			if rapid.IntRange(0, 4).Draw(t, "silent") == 0 {
				continue
			}
			s := Statement{Node: rec.Now[i], Epoch: 1, Head: rec.FloorHead}
			b := branch[i]
			if i < Faults(n) {
				b = rapid.IntRange(0, 1).Draw(t, "claimed branch")
			}
			for known := uint64(rapid.IntRange(0, top).Draw(t, "known")); s.Height < known && certified(b, s.Height+1); {
				s.Height++
				s.Head = header(b, s.Height)
			}
			for h := s.Height + 1; h <= top; h++ {
				switch {
				case i >= Faults(n) && h <= length[i]:
					s.Promises = append(s.Promises, Promise{Height: h, Header: header(b, h)})
				case i < Faults(n) && rapid.Bool().Draw(t, "lies that it signed"):
					s.Promises = append(s.Promises, Promise{Height: h, Header: header(rapid.IntRange(0, 1).Draw(t, "lie"), h)})
				}
			}
			stated = append(stated, s)
		}
		tally, err := rec.Tally(stated)
		if err != nil {
			t.Fatal("two headers are certified at one height, with f traitors")
		}
		list, err := tally.Carry(func(height uint64, h Hash) (Header, bool) { return Header{Height: height, State: h}, true })
		if err != nil || !tally.Enough() {
			unclear++
			return
		}
		enough++
		at := map[uint64]Hash{}
		if tally.Height > 0 { // everything below is the same branch
			for h := uint64(1); h <= tally.Height; h++ {
				at[h] = Hash{tally.Head[0], byte(h)}
			}
		}
		for _, h := range list {
			at[h.Height] = h.State
			carried++
		}
		for b := range 2 {
			for h := uint64(1); h <= top && certified(b, h); h++ {
				if at[h] != header(b, h) {
					t.Fatalf("of %d controllers header %v at height %d is certified, but the epoch has %v", n, header(b, h), h, at[h])
				}
			}
		}
	})
	t.Logf("%d sufficed, %d headers were carried over, %d left it open", enough, carried, unclear)
	if enough == 0 || carried == 0 || unclear == 0 {
		t.Error("the histories are too much alike")
	}
}

// TestEveryWayToEndOneHeight goes through all that three and four controllers can have signed at one height, truly and as they say: what has a real
// quorum is never dropped, and nothing contradicts it.
func TestEveryWayToEndOneHeight(t *testing.T) {
	nothing, x, y := Hash{}, Hash{'x'}, Hash{'y'}
	choices := []Hash{nothing, x, y}
	for _, n := range []int{3, 4} {
		rec := roomOf(n)
		sufficed, total := 0, 0
		// The first controller is the traitor, if there may be one: it signs a set (2 bits) and says one thing. Digits of code: see below.
		for code := range 4 * 3 * 3 * 3 * 3 * 3 << n {
			rest := code
			digit := func(base int) int { d := rest % base; rest /= base; return d }
			set, lie := digit(4), digit(3)
			votes := map[Hash]int{}
			var stated []Statement
			for i := range n {
				said := choices[digit(3)]
				switch {
				case i == 0 && Faults(n) > 0:
					said = choices[lie]
					votes[x] += set & 1
					votes[y] += set >> 1
				default:
					votes[said]++
				}
				if digit(2) == 0 {
					continue // silent
				}
				s := Statement{Node: rec.Now[i], Epoch: 1, Head: rec.FloorHead}
				if said != nothing {
					s.Promises = []Promise{{Height: 1, Header: said}}
				}
				stated = append(stated, s)
			}
			total++
			tally, err := rec.Tally(stated)
			if err != nil {
				t.Fatal(err)
			}
			list, err := tally.Carry(func(_ uint64, h Hash) (Header, bool) { return Header{State: h}, true })
			if err != nil || !tally.Enough() {
				continue
			}
			sufficed++
			for _, h := range []Hash{x, y} {
				if votes[h] >= Quorum(n) && (len(list) != 1 || list[0].State != h) {
					t.Fatalf("of %d controllers %d signed %c, but the epoch carries %v over; they said %+v", n, votes[h], h[0], list, stated)
				}
			}
		}
		t.Logf("%d controllers: %d of %d ways suffice", n, sufficed, total)
		if sufficed == 0 {
			t.Error("statements never suffice")
		}
	}
}
