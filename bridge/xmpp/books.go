package xmpp

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
)

// Limits of what one account keeps.
const (
	maxContacts     = 1000
	maxGroups       = 16
	maxName         = 256      // bytes of a contact's name or of a group
	maxPrivate      = 64       // pieces of private data
	maxPrivateBytes = 48 << 10 // of all of them, and the card
)

// contact is one entry of a roster. Its subscription is a fold over what the two said to each other (see roster_sub.go); name and groups are
// the owner's.
type contact struct {
	Listed bool     `json:"listed,omitempty"` // the owner put it on the list
	Name   string   `json:"name,omitempty"`
	Groups []string `json:"groups,omitempty"`
	To     bool     `json:"to,omitempty"`   // the owner sees the contact's presence
	From   bool     `json:"from,omitempty"` // the contact sees the owner's
	Ask    bool     `json:"ask,omitempty"`  // the owner asked and has no answer
	Asked  bool     `json:"asked,omitempty"`
	Seq    uint64   `json:"seq,omitempty"` // last event of the conversation that was folded in
}

// shown reports whether the contact is an item of the roster (RFC 6121 §2.1.2: not when it has only asked).
func (k contact) shown() bool { return k.Listed || k.To || k.From || k.Ask }

func (k contact) subscription() string {
	switch {
	case k.To && k.From:
		return "both"
	case k.To:
		return "to"
	case k.From:
		return "from"
	}
	return "none"
}

// book is what an account keeps: contacts by account name, private data by name, a card. It is encoded as JSON.
type book struct {
	Contacts map[string]contact `json:"contacts,omitempty"`
	Private  map[string]string  `json:"private,omitempty"`
	Card     string             `json:"card,omitempty"`

	refs  int
	dirty bool
}

// books holds the books of the accounts that are connected here. One goroutine saves what has changed.
type books struct {
	srv   *Server
	store RosterStore
	wake  chan struct{}

	mu   sync.Mutex
	open map[string]*book
}

func newBooks(s *Server, store RosterStore) *books {
	return &books{srv: s, store: store, wake: make(chan struct{}, 1), open: map[string]*book{}}
}

// acquire loads an account's book, or counts one more user of it. A book that cannot be read is an empty one: the list of contacts is rebuilt
// from the conversations.
func (b *books) acquire(ctx context.Context, account string) {
	b.mu.Lock()
	if k := b.open[account]; k != nil {
		k.refs++
		b.mu.Unlock()
		return
	}
	b.mu.Unlock()
	k := &book{}
	data, err := b.store.Load(ctx, account)
	if err == nil && len(data) > 0 {
		err = json.Unmarshal(data, k)
	}
	if err != nil {
		b.srv.log.Warn("xmpp: read the contacts", "account", account, "err", err)
	}
	if k.Contacts == nil {
		k.Contacts = map[string]contact{}
	}
	if k.Private == nil {
		k.Private = map[string]string{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.open[account]; old != nil {
		k = old
	}
	b.open[account] = k
	k.refs++
}

// release gives back what acquire took.
func (b *books) release(account string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if k := b.open[account]; k != nil {
		if k.refs--; k.refs == 0 {
			k.dirty = true // saved, then let go
			b.wakeUp()
		}
	}
}

// change calls f with the account's book; f reports whether it changed it. false: the book is not open.
func (b *books) change(account string, f func(k *book) bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.open[account]
	if k == nil {
		return false
	}
	if f(k) {
		k.dirty = true
		b.wakeUp()
	}
	return true
}

func (b *books) wakeUp() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// contact returns an account's contact.
func (b *books) contact(account, peer string) (k contact, ok bool) {
	b.change(account, func(bk *book) bool {
		k, ok = bk.Contacts[peer]
		return false
	})
	return k, ok
}

// seesPresence reports whether account has a subscription to the presence of peer.
func (b *books) seesPresence(account, peer string) bool {
	k, _ := b.contact(account, peer)
	return k.To
}

// contacts returns a copy of all contacts of an account.
func (b *books) contacts(account string) map[string]contact {
	var out map[string]contact
	b.change(account, func(k *book) bool {
		out = maps.Clone(k.Contacts)
		return false
	})
	return out
}

// run saves what changes until done is closed, then what is left.
func (b *books) run(done <-chan struct{}) {
	for {
		select {
		case <-b.wake:
			b.save()
		case <-done:
			b.save()
			return
		}
	}
}

func (b *books) save() {
	b.mu.Lock()
	accounts := slices.Sorted(maps.Keys(b.open))
	b.mu.Unlock()
	for _, a := range accounts {
		b.mu.Lock()
		k := b.open[a]
		if k == nil || !k.dirty {
			b.mu.Unlock()
			continue
		}
		k.dirty = false
		data, err := json.Marshal(k)
		if k.refs == 0 {
			delete(b.open, a)
		}
		b.mu.Unlock()
		if err == nil {
			err = b.store.Save(context.Background(), a, data)
		}
		if err != nil {
			b.srv.log.Error("xmpp: save the contacts", "account", a, "err", err)
		}
	}
}

// memoryStore is a RosterStore that forgets everything with the process.
type memoryStore struct {
	mu sync.Mutex
	m  map[string][]byte
}

func (m *memoryStore) Load(_ context.Context, account string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.m[account], nil
}

func (m *memoryStore) Save(_ context.Context, account string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.m[account] = data
	return nil
}
