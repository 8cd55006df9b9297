package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// source is one parsed file of the program (no test).
type source struct {
	name string // slash-separated, from the root of the tree
	pkg  string // the folder
	file *ast.File
}

// Check parses every Go file below root and returns what breaks the house rule, one line each, sorted. Errors: a file that cannot be read or
// parsed.
func Check(root fs.FS) ([]string, error) {
	fset := token.NewFileSet()
	packages := map[string][]source{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); name == "test" || name != "." && (base == "testdata" || base == "vendor" || strings.ContainsAny(base[:1], "._")) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		data, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(fset, name, data, parser.ParseComments)
		if err != nil {
			return err
		}
		packages[path.Dir(name)] = append(packages[path.Dir(name)], source{name, path.Dir(name), f})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("check the house: %w", err)
	}
	c := &checker{fset: fset}
	for pkg, files := range packages {
		c.place(pkg)
		for _, s := range files {
			c.imports(s)
		}
		if slices.Contains(pure(), pkg) {
			c.pure(files)
		}
	}
	slices.Sort(c.found)
	return c.found, nil
}

type checker struct {
	fset  *token.FileSet
	found []string
}

func (c *checker) say(at token.Pos, format string, args ...any) {
	p := c.fset.Position(at)
	c.found = append(c.found, fmt.Sprintf("%s:%d: ", p.Filename, p.Line)+fmt.Sprintf(format, args...))
}

func top(pkg string) string {
	first, _, _ := strings.Cut(pkg, "/")
	return first
}

func (c *checker) place(pkg string) {
	if _, known := left()[top(pkg)]; !known {
		c.found = append(c.found, fmt.Sprintf("%s: the house has no such room", pkg))
	}
}

// below reports whether p is the path root or lies under it.
func below(p, root string) bool { return p == root || strings.HasPrefix(p, root+"/") }

func (c *checker) imports(s source) {
	for _, spec := range s.file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has said so
		}
		if own, ok := strings.CutPrefix(p, module+"/"); ok {
			c.own(s, spec, own)
			continue
		}
		c.library(s, spec, p)
		if slices.Contains(pure(), s.pkg) && under(p, impure()) && !under(p, excepted()) {
			c.say(spec.Pos(), "%s is pure: it may not import %s", s.pkg, p)
		}
	}
}

func under(p string, roots []string) bool {
	return slices.ContainsFunc(roots, func(r string) bool { return below(p, r) })
}

// own judges an import of another package of the house.
func (c *checker) own(s source, spec *ast.ImportSpec, p string) {
	from, to := top(s.pkg), top(p)
	if from != to && !slices.Contains(left()[from], to) {
		c.say(spec.Pos(), "%s may not import %s: it imports only folders to its left", s.pkg, p)
	}
	for part, barred := range inner() {
		if below(s.pkg, part) && under(p, barred) {
			c.say(spec.Pos(), "%s may not import %s: it is the floor above", s.pkg, p)
		}
	}
	if slices.Contains(pure(), s.pkg) && !slices.Contains(pure(), p) {
		c.say(spec.Pos(), "%s is pure: it may not import %s, which is not", s.pkg, p)
	}
}

// library judges an import of a library that has its home in one place. Packages whose name ends in "test" are made for tests.
func (c *checker) library(s source, spec *ast.ImportSpec, p string) {
	home, where := "", []string(nil)
	for lib, at := range homes() {
		if (below(p, lib) || strings.HasPrefix(p, lib+".")) && len(lib) > len(home) {
			home, where = lib, at
		}
	}
	if home == "" || under(s.pkg, where) || len(where) == 0 && strings.HasSuffix(s.pkg, "test") {
		return
	}
	if len(where) == 0 {
		c.say(spec.Pos(), "%s may not import %s: it is for tests", s.pkg, p)
		return
	}
	c.say(spec.Pos(), "%s may not import %s: that is for %s", s.pkg, p, strings.Join(where, ", "))
}

// pure looks for goroutines, clocks, init work and package-level variables that are changed.
func (c *checker) pure(files []source) {
	vars := map[string]bool{}
	for _, s := range files {
		for _, d := range s.file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
				for _, spec := range g.Specs {
					for _, n := range spec.(*ast.ValueSpec).Names {
						vars[n.Name] = true
					}
				}
			}
		}
	}
	for _, s := range files {
		c.pureFile(s, vars)
	}
}

func (c *checker) pureFile(s source, vars map[string]bool) {
	time := importName(s.file, "time")
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				c.say(n.Pos(), "%s is pure: no init", s.pkg)
			}
		case *ast.GoStmt:
			c.say(n.Pos(), "%s is pure: no goroutine", s.pkg)
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && time != "" && x.Name == time && x.Obj == nil && slices.Contains(clock(), n.Sel.Name) {
				c.say(n.Pos(), "%s is pure: time.%s asks the clock", s.pkg, n.Sel.Name)
			}
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, e := range n.Lhs {
					c.changed(s, e, vars)
				}
			}
		case *ast.IncDecStmt:
			c.changed(s, n.X, vars)
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				c.changed(s, n.X, vars)
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") && f.Obj == nil && len(n.Args) > 0 {
				c.changed(s, n.Args[0], vars)
			}
		}
		return true
	})
}

// changed complains when e, which is assigned to, or whose address is taken, is (part of) a package-level variable. The parser has resolved
// what is declared in the function; what it has not, or has to the file's own declarations, is the package's.
func (c *checker) changed(s source, e ast.Expr, vars map[string]bool) {
	for {
		switch x := e.(type) {
		case *ast.IndexExpr:
			e = x.X
			continue
		case *ast.SelectorExpr:
			e = x.X
			continue
		case *ast.StarExpr:
			e = x.X
			continue
		case *ast.ParenExpr:
			e = x.X
			continue
		case *ast.Ident:
			if vars[x.Name] && (x.Obj == nil || s.file.Scope.Lookup(x.Name) == x.Obj) {
				c.say(x.Pos(), "%s is pure: the package's %s may not be changed", s.pkg, x.Name)
			}
		}
		return
	}
}

// importName returns under which name the file knows a package of the standard library, empty when it does not.
func importName(f *ast.File, p string) string {
	for _, spec := range f.Imports {
		if spec.Path.Value != strconv.Quote(p) {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(p)
	}
	return ""
}
