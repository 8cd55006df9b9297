package index

import (
	"cmp"
	"slices"
	"strings"

	"warren/search/query"
)

// Index is an inverted index. It is not safe for concurrent use: who owns it locks it.
type Index struct {
	rooms map[string]map[string]*entry // room → id → entry
	tags  map[string][]*entry          // who holds the tag, in no order; never an empty list
	count int
}

// entry is one item. Invariant: index.tags[item.Tags[i]][slots[i]] is this entry.
type entry struct {
	item  query.Item
	slots []int
}

// TagCount tells how many items hold a tag.
type TagCount struct {
	Tag   string
	Count int
}

// New returns an empty index.
func New() *Index {
	return &Index{rooms: map[string]map[string]*entry{}, tags: map[string][]*entry{}}
}

// Len returns the number of items.
func (x *Index) Len() int { return x.count }

// Put adds an item, or replaces the one of the same room and id. Tags are as [query.FoldTag] returns them; doubles are
// dropped. The index keeps a copy of the list of tags.
func (x *Index) Put(it query.Item) {
	x.Remove(it.Room, it.ID)
	it.Tags = slices.Clone(it.Tags)
	slices.Sort(it.Tags)
	it.Tags = slices.Compact(it.Tags)
	e := &entry{item: it, slots: make([]int, len(it.Tags))}
	for i, tag := range it.Tags {
		e.slots[i] = len(x.tags[tag])
		x.tags[tag] = append(x.tags[tag], e)
	}
	if x.rooms[it.Room] == nil {
		x.rooms[it.Room] = map[string]*entry{}
	}
	x.rooms[it.Room][it.ID] = e
	x.count++
}

// Remove takes an item out and reports whether it was there.
func (x *Index) Remove(room, id string) bool {
	e := x.rooms[room][id]
	if e == nil {
		return false
	}
	delete(x.rooms[room], id)
	if len(x.rooms[room]) == 0 {
		delete(x.rooms, room)
	}
	x.unlist(e)
	return true
}

// RemoveRoom takes out all items of a room and returns how many there were.
func (x *Index) RemoveRoom(room string) int {
	items := x.rooms[room]
	delete(x.rooms, room)
	for _, e := range items {
		x.unlist(e)
	}
	return len(items)
}

// unlist removes the entry from the lists of its tags: the last of each list takes its place.
func (x *Index) unlist(e *entry) {
	for i, tag := range e.item.Tags {
		list, slot := x.tags[tag], e.slots[i]
		last := list[len(list)-1]
		list[slot] = last
		at, _ := slices.BinarySearch(last.item.Tags, tag)
		last.slots[at] = slot
		list[len(list)-1] = nil
		if list = list[:len(list)-1]; len(list) == 0 {
			delete(x.tags, tag)
			continue
		}
		x.tags[tag] = list
	}
	x.count--
}

// Get returns the item of that room and id. The caller does not change its tags.
func (x *Index) Get(room, id string) (query.Item, bool) {
	e := x.rooms[room][id]
	if e == nil {
		return query.Item{}, false
	}
	return e.item, true
}

// Find returns the items that match, at most limit (none for a limit below 1), ordered by room, name and id. With a positive
// tag in the expression it looks at the items that hold one of the rarest such tags, else at all. The caller does not
// change the items' tags.
func (x *Index) Find(e query.Expr, limit int) []query.Item {
	return x.FindFunc(e, limit, nil)
}

// FindFunc is [Index.Find] among the items that keep accepts, say those that the asker may read: what it refuses does not
// count towards the limit. It is asked for matches only, in no particular order. A nil keep accepts all.
func (x *Index) FindFunc(e query.Expr, limit int, keep func(query.Item) bool) []query.Item {
	if limit < 1 {
		return nil
	}
	f := finder{expr: e, limit: limit, keep: keep}
	tags := e.PositiveBy(func(tag string) int { return len(x.tags[tag]) })
	if tags == nil {
		for _, items := range x.rooms {
			for _, en := range items {
				f.offer(en)
			}
		}
		return f.sorted()
	}
	for i, tag := range tags {
		for _, en := range x.tags[tag] {
			if !holdsOneOf(en.item.Tags, tags[:i]) {
				f.offer(en)
			}
		}
	}
	return f.sorted()
}

// holdsOneOf reports whether the entry was already looked at under an earlier tag.
func holdsOneOf(held, tags []string) bool {
	return slices.ContainsFunc(tags, func(t string) bool { return slices.Contains(held, t) })
}

// Tags returns all tags with the number of items that hold each, the most frequent first, then by name.
func (x *Index) Tags() []TagCount {
	all := make([]TagCount, 0, len(x.tags))
	for tag, list := range x.tags {
		all = append(all, TagCount{Tag: tag, Count: len(list)})
	}
	slices.SortFunc(all, func(a, b TagCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Tag, b.Tag))
	})
	return all
}
