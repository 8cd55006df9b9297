package node

import (
	"time"

	"warren/rooms"
)

// labelRetry is how long a node waits before it tells the directory its label again.
const labelRetry = 30 * time.Second

// tellLabel has the directory know the label that the config says now. It ends when the directory does, or with the node.
func (n *Node) tellLabel() {
	retry := time.NewTicker(labelRetry)
	defer retry.Stop()
	for !n.labelKnown() {
		if err := n.host.Order(n.ctx, &rooms.LabelNode{Label: n.cfg.Node.Label}); err != nil {
			n.log.Debug("the directory does not know this node's label yet", "err", err)
		}
		select {
		case <-n.ctx.Done():
			return
		case <-retry.C:
		}
	}
}

// labelKnown reports whether the directory has nothing to learn about this node's label. A node that it does not know has none.
func (n *Node) labelKnown() (known bool) {
	n.host.Directory(func(d *rooms.Directory) {
		rec, inside := d.Now().Node(n.id)
		known = rec.Label == n.cfg.Node.Label || !inside && n.cfg.Node.Label == ""
	})
	return known
}
