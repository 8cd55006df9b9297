package xmpp

import (
	"sync"
	"testing"
)

func TestLanesKeepOrderAndDoNotWaitForEachOther(t *testing.T) {
	var work sync.WaitGroup
	l := newLanes(&work)
	var mu sync.Mutex
	var got []int
	stuck := make(chan struct{})
	if !l.put("stuck", func() { <-stuck }) {
		t.Fatal("refused")
	}
	for i := range 10 {
		l.put("a", func() {
			mu.Lock()
			got = append(got, i)
			mu.Unlock()
		})
	}
	done := make(chan struct{})
	l.put("a", func() { close(done) })
	select {
	case <-done:
		t.Error("ran before the start")
	default:
	}
	l.start()
	<-done // although the other lane is stuck
	for i, v := range got {
		if i != v {
			t.Fatalf("order: %v", got)
		}
	}
	n := 0
	for l.put("stuck", func() {}) {
		n++
	}
	if n < maxWork-2 || n > maxWork-1 { // the last of the other lane may just be ending
		t.Errorf("%d more fitted", n)
	}
	idle := l.idle()
	close(stuck)
	<-idle
	l.close()
	if l.put("a", func() {}) {
		t.Error("taken after the end")
	}
	work.Wait()
}
