package node

import (
	"context"
	"time"

	"warren/node/bootstrap"
	"warren/rooms"
)

// knocked takes the knock of a newcomer without an invitation, and tells the other members now and then: the person who admits it need not
// sit at the node that happened to be asked.
func (n *Node) knocked(from rooms.NodeID, req bootstrap.Request) ([]byte, error) {
	n.mu.Lock()
	who, tell, err := n.waiting.Knock(n.genesis.ID(), from, req, time.Now())
	n.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if tell {
		n.log.Info("a node asks to be admitted", "node", from.Short(), "name", who.Name, "code", who.Code)
		n.broadcast(chanDoor, bootstrap.Word{Node: from, Request: req}.Encode())
	}
	return bootstrap.Pend(n.name()).Encode(), nil
}

// heardOfKnock takes what another member tells. It never blocks.
func (n *Node) heardOfKnock(data []byte) {
	w, err := bootstrap.DecodeWord(data)
	if err != nil || n.Inside(w.Node) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	_ = n.waiting.Heard(n.genesis.ID(), w.Node, w.Request, time.Now()) // crowded: where it knocked, it can still be admitted
}

// admitted forgets a newcomer that is inside now, whoever answered it.
func (n *Node) admitted(id rooms.NodeID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting.Admitted(id)
}

// Waiting lists the nodes that ask to be admitted, here or at another member that told of it.
func (n *Node) Waiting() []bootstrap.Newcomer {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.waiting.List(time.Now())
}

// AdmitCode admits the node that shows this code. It blocks until the directory has it. Where that fails the newcomer goes on waiting.
func (n *Node) AdmitCode(ctx context.Context, code string) (bootstrap.Newcomer, error) {
	n.mu.Lock()
	who, err := n.waiting.Find(code, time.Now())
	n.mu.Unlock()
	if err != nil {
		return who, err
	}
	return who, n.admit(ctx, &rooms.AdmitNode{Node: who.ID, Name: nameOr(who.Name, who.ID), Label: who.Label, Sponsor: n.sponsor()})
}
