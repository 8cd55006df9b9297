package index

import (
	"container/heap"
	"slices"
	"strings"

	"warren/search/query"
)

// finder keeps the first limit matches in the order of [order], whatever the order in which they are offered. found is a
// heap with the last of them on top, so memory is bounded by the limit.
type finder struct {
	expr  query.Expr
	limit int
	keep  func(query.Item) bool // nil for all
	found lastFirst
}

func (f *finder) offer(e *entry) {
	full := len(f.found) == f.limit
	if full && order(&e.item, f.found[0]) >= 0 || !f.expr.Match(e.item) || f.keep != nil && !f.keep(e.item) {
		return
	}
	if full {
		f.found[0] = &e.item
		heap.Fix(&f.found, 0)
		return
	}
	heap.Push(&f.found, &e.item)
}

func (f *finder) sorted() []query.Item {
	slices.SortFunc(f.found, order)
	items := make([]query.Item, len(f.found))
	for i, it := range f.found {
		items[i] = *it
	}
	return items
}

// order is total over the items of an index: room and id together name an item.
func order(a, b *query.Item) int {
	if c := strings.Compare(a.Room, b.Room); c != 0 {
		return c
	}
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	return strings.Compare(a.ID, b.ID)
}

// lastFirst is a heap.Interface whose top is the last in order.
type lastFirst []*query.Item

func (h lastFirst) Len() int           { return len(h) }
func (h lastFirst) Less(i, j int) bool { return order(h[i], h[j]) > 0 }
func (h lastFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *lastFirst) Push(v any)        { *h = append(*h, v.(*query.Item)) }
func (h *lastFirst) Pop() any {
	old := *h
	v := old[len(old)-1]
	*h = old[:len(old)-1]
	return v
}
