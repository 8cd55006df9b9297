// Package search finds tagged things in the whole network.
//
// Every node keeps an index of the tagged things in the rooms it holds a copy of. Tags are hashed onto 256 tag topics; a node listens to those
// that its own tags fall on. Who looks for something publishes a signed question on the topics of the tags that any match must hold one of;
// nodes that find something send their answers straight to the asker, who gathers them for a second or two, merges what several hold, and
// ranks it.
//
// Nobody is shown what she may not read: the answering node asks the room's live state for each thing, with the account that the question
// names only if the directory says that the asking node may sign for that account, else as a guest of that node. Things of secret rooms are
// shown to their members and occupants alone. What an answer says is a claim of the node that sent it: the asker checks that it fits the
// question and that the room exists, not that the thing does.
//
// It knows rooms and perms, and its own query/ (the grammar) and index/ (the inverted index); nothing of the network, disk or protocols may
// come in. Read in this order: config.go, service.go, question.go, local.go, find.go.
package search
