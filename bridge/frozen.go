package bridge

// What people read when a room freezes and thaws.
const (
	frozenText = "this room is frozen: no quorum of its controllers can be reached. What you do is not ordered until they are back; it waits here."
	thawedText = "this room goes on: a quorum of its controllers is back."
)

// frozen tells all seats that nothing is ordered, or that things go on, as the bot's words in the room.
func (c *channel) frozen(is bool) {
	text := thawedText
	if is {
		text = frozenText
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.seats {
		if t.active {
			t.s.deliver(Delivery{Kind: BotReply, Seat: t, Reply: Reply{Lines: []string{text}}})
		}
	}
}
