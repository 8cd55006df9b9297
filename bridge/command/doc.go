// Package command is the bot's command tree, once for every door: IRC, XMPP and the command line ask it, and only encode its answers.
//
// [New] makes a [Tree], which is the bridge's Runner. A command has a name of one or two words, arguments, a line of help, the right it
// needs, and a function that answers with a bridge.Reply: lines for people, and the same as data for scripts. Help and usage lines come from
// the tree. Everything a command changes is a request that the room orders; rights are asked here only to refuse early with a reason, and for
// reads.
//
// Nothing of a protocol may come in: no line lengths, no stanzas. Lines of a reply hold no line breaks and no control characters and are at
// most some 2,000 bytes long; a protocol splits what is too long for it. Read in this order: tree.go, words.go, call.go, then the cmd_ files.
package command
