// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bufio"
	"debug/elf"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// modules are what the guest has in its kernel beside what is built in: the
// devices and file systems of the virtual machine, VFIO, network interfaces.
var modules = []string{
	"virtio_pci", "virtio_console", "virtiofs", "overlay",
	"vfio_iommu_type1", "vfio_pci",
	"virtio_net", "tun", "veth",
}

// ModuleSets are names for several modules in Config.Modules. The set "ipsec" is
// the kernel's own IPsec with the algorithms that a NIC of ours shares with it
// (RFC 4106); its self-tests take a good part of a second, so that it is loaded
// only when asked for.
var ModuleSets = map[string][]string{
	"ipsec": {
		"esp4", "esp6", "xfrm_user", "xfrm4_tunnel", "xfrm6_tunnel", "xfrm_interface",
		"gcm", "ctr", "ghash_generic", "seqiv", "echainiv", "sha512_generic", "jitterentropy_rng", "drbg",
	},
}

// moduleParameters are the parameters of modules that need some. The emulated
// IOMMU does not remap interrupts, which VFIO wants unless told that this is
// accepted.
var moduleParameters = map[string]string{"vfio_iommu_type1": "allow_unsafe_interrupts=1"}

// moduleTree is a kernel's folder lib/modules/RELEASE.
type moduleTree struct {
	dir     string
	files   map[string]string // by name, relative to dir
	builtin map[string]bool
}

// moduleName is the name by which the kernel knows the module in file; - and _
// are the same to it.
func moduleName(file string) string {
	return strings.ReplaceAll(strings.TrimSuffix(path.Base(file), ".ko"), "-", "_")
}

func openModules(dir string) (*moduleTree, error) {
	tree := &moduleTree{dir: dir, files: map[string]string{}, builtin: map[string]bool{}}
	for list, add := range map[string]func(string){
		"modules.order":   func(file string) { tree.files[moduleName(file)] = file },
		"modules.builtin": func(file string) { tree.builtin[moduleName(file)] = true },
	} {
		content, err := os.Open(filepath.Join(dir, list))
		if err != nil {
			return nil, fmt.Errorf("guest kernel's modules: %w", err)
		}
		lines := bufio.NewScanner(content)
		for lines.Scan() {
			add(lines.Text())
		}
		content.Close()
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("guest kernel's modules: %s: %w", list, err)
		}
	}
	return tree, nil
}

// resolve answers the files of the named modules and sets and of everything that they
// need, each after what it needs.
func (tree *moduleTree) resolve(names []string) ([]string, error) {
	var order []string
	seen := map[string]bool{}
	var visit func(name string) error
	visit = func(name string) error {
		name = moduleName(name)
		if seen[name] || tree.builtin[name] {
			return nil
		}
		seen[name] = true
		file, ok := tree.files[name]
		if !ok {
			return fmt.Errorf("guest kernel has no module %q", name)
		}
		full := filepath.Join(tree.dir, file)
		needs, err := moduleNeeds(full)
		if err != nil {
			return fmt.Errorf("guest kernel's module %s: %w", file, err)
		}
		for _, need := range needs {
			if err := visit(need); err != nil {
				return err
			}
		}
		order = append(order, full)
		return nil
	}
	for _, name := range names {
		set, is := ModuleSets[name]
		if !is {
			set = []string{name}
		}
		for _, name := range set {
			if err := visit(name); err != nil {
				return nil, err
			}
		}
	}
	return order, nil
}

// moduleNeeds reads from a module's own description what other modules it
// needs: Debian makes modules.dep only when the package is installed.
func moduleNeeds(file string) ([]string, error) {
	object, err := elf.Open(file)
	if err != nil {
		return nil, err
	}
	defer object.Close()
	section := object.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("it has no .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for _, field := range strings.Split(string(info), "\x00") {
		if list, is := strings.CutPrefix(field, "depends="); is && list != "" {
			return strings.Split(list, ","), nil
		}
	}
	return nil, nil
}
