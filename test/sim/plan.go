package main

import "math/rand/v2"

// plan is what a seed decides at the start.
type plan struct {
	nodes      int
	stages     [][]int // sets of controllers, one after the other
	wishes     int
	loss       int    // per mille
	double     int    // per mille
	delay      int    // ms, most of one message
	crashEvery int    // ms between crashes, 0: none
	cutEvery   int    // ms between partitions, 0: none
	slowDisk   int    // ms, most of one store
	cutWrites  int    // one write in so many ends in a crash, before or after it is done; 0: none
	keep       int    // entries kept for slow followers
	lies       string // what node liar does, "": nothing
	liar       int
	misled     bool // it can make honest controllers run different batches in one place
	amnesia    bool // disks lose synced votes and entries too, which raft cannot bear; only what is signed and certified holds
	forget     bool // now and then a node loses its raft state
	patience   int  // ms without a certificate after which the controllers begin anew, as long as there are faults
	worstAt    int  // ms, when most of the controllers are lost; 0: never
	onChange   bool // or as soon as one node has seen a change of them certified: the directory is told of it, the others may not have it yet
	fates      []fate
	luck       []int // in which order they are
	ticks      ticking
}

func (w *world) makePlan() {
	p := &w.plan
	pick := func(vs ...int) int { return vs[w.rng.IntN(len(vs))] }
	switch w.rng.IntN(10) {
	case 0:
		p.nodes, p.stages = 1+w.rng.IntN(2), [][]int{{0}}
	case 1:
		p.nodes, p.stages = 3, [][]int{{0, 1, 2}}
	case 2, 3, 4:
		p.nodes, p.stages = 4+w.rng.IntN(2), [][]int{{0, 1, 2, 3}}
	case 5, 6:
		p.nodes, p.stages = 4, [][]int{{0}, {0, 1, 2}, {0, 1, 2, 3}}
	case 7:
		p.nodes, p.stages = 5, [][]int{{0}, {0, 1, 2, 3}, {0, 1, 3, 4}}
	case 8:
		p.nodes, p.stages = 5, [][]int{{0, 1, 2, 3}, {1, 2, 3, 4}, {0, 1, 2, 4}}
	case 9:
		p.nodes, p.stages = 4, [][]int{{0, 1, 2}, {0, 1, 2, 3}, {3}}
	}
	p.wishes = 20 + w.rng.IntN(60)
	p.loss, p.double = pick(0, 0, 20, 100, 300), pick(0, 0, 50)
	p.delay = pick(2, 10, 60, 250)
	p.crashEvery = pick(0, 3000, 1200, 500)
	p.cutEvery = pick(0, 0, 2500, 1000)
	p.slowDisk = pick(0, 3, 40)
	p.cutWrites = pick(0, 0, 100, 30)
	p.keep = pick(0, 2, 8)
	p.forget = pick(0, 0, 1) == 1
	if p.amnesia = w.rng.IntN(8) == 0; p.amnesia {
		p.crashEvery, p.slowDisk, p.forget = 150, 3, false
	}
	w.planTicks()
	w.planLies()
	w.planWorst()
	w.planPatience()
	w.tr.say(0, "plan: %+v", *p)
}

// planPatience draws how soon controllers take a height for one that cannot be certified: in half of the worlds so soon that many epochs begin while
// everything fails. It draws from a source of its own.
func (w *world) planPatience() {
	rng := rand.New(rand.NewPCG(w.seed, 0xe90c))
	p := &w.plan
	p.patience = []int{0, 0, 2500, 700}[rng.IntN(4)]
	if p.lies != "" && p.class().impatient {
		p.patience = 700
	}
}
