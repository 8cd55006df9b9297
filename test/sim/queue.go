package main

import "container/heap"

// event is something that happens at a time.
type event struct {
	at  int64
	seq int
	do  func()
}

type events []*event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(*event)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

// after lets something happen ms later.
func (w *world) after(ms int64, do func()) {
	w.seq++
	heap.Push(&w.queue, &event{w.now + max(ms, 0), w.seq, do})
}
