package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// What stands in for the two images: this machine's system folders, read-only, with
// the built operator at /manager or the Python environment on the path.

var systemDirs = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc"}

const (
	homeDir = "/home/ray"
	helmDir = "/opt/helm"
)

// Gates that 1.7.0 knows and an older operator does not: it would stop at them, as
// 1.7.0 does at a gate that nobody knows.
var newerGates = map[string]bool{
	"SidecarSubmitterRestart": true, "RayClusterNetworkPolicy": true, "RayClusterMTLS": true,
	"GCSFaultToleranceEmbeddedStorage": true, "RayClusterHistoryServer": true, "KubernetesWAS": true,
}

func (c *container) baseEnv() map[string]string {
	env := map[string]string{
		"PATH":                    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOSTNAME":                c.sandbox.pod.Name,
		"HOME":                    homeDir,
		"LANG":                    "C.UTF-8",
		"KUBERNETES_SERVICE_HOST": serviceAddress,
		"KUBERNETES_SERVICE_PORT": "443",
	}
	if isHelm(c.sandbox.pod) {
		env["PATH"] += ":" + helmDir
		env["HOME"] = "/"
	}
	if isOperator(c.sandbox.pod) || isHelm(c.sandbox.pod) {
		return env
	}
	for name, value := range map[string]string{
		"PATH":                                  c.sandbox.rig.venv + "/bin:" + env["PATH"],
		"PYTHONDONTWRITEBYTECODE":               "1",
		"RAY_AUTH_MODE":                         "disabled", // newer versions default to token
		"RAY_USAGE_STATS_ENABLED":               "0",
		"RAY_GRAFANA_HOST":                      "DISABLED",
		"RAY_PROMETHEUS_HOST":                   "http://localhost:9090",
		"RAY_memory_monitor_refresh_ms":         "0", // it would judge the whole machine
		"RAY_ENABLE_UV_RUN_RUNTIME_ENV":         "0",
		"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",

		"RAY_DASHBOARD_SUBPROCESS_MODULE_WAIT_READY_TIMEOUT": "120",
	} {
		env[name] = value
	}
	env["RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES"] = strconv.FormatInt(c.objectStore(), 10)
	return env
}

// objectStore is what Ray would take by itself in a container with this memory limit:
// three tenths, but no more than /dev/shm holds. Here it would see the whole machine.
func (c *container) objectStore() int64 {
	const least = 80 << 20
	size := int64(c.sandbox.rig.shmMB) << 20 * 9 / 10
	if limit := c.spec.Resources.Limits.Memory().Value(); limit > 0 {
		size = min(size, limit*3/10)
	}
	return max(size, least)
}

// prepare builds all that the container's first process needs.
func (c *container) prepare(ctx context.Context) (*containerSpec, error) {
	s := c.sandbox
	env, err := s.environment(ctx, c.spec, c.baseEnv())
	if err != nil {
		return nil, err
	}
	root := filepath.Join(s.dir, "root-"+c.spec.Name)
	spec := &containerSpec{
		Hostname: s.pod.Name,
		Root:     root,
		ReadOnly: systemDirs,
		Dirs:     []string{"/tmp", "/var/tmp", "/var/log", "/run", "/mnt", "/srv", "/opt", homeDir},
		Links:    map[string]string{},
		WorkDir:  c.spec.WorkingDir,
		Env:      envList(env),
	}
	for _, text := range append(append([]string{}, c.spec.Command...), c.spec.Args...) {
		spec.Argv = append(spec.Argv, expand(text, env))
	}
	for _, name := range []string{"tmp", "home"} {
		dir := filepath.Join(s.dir, name+"-"+c.spec.Name)
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return nil, err
		}
		_ = os.Chmod(dir, 0o777)
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, err
	}
	spec.Mounts = []mountSpec{
		{Source: filepath.Join(s.dir, "tmp-"+c.spec.Name), Target: "/tmp"},
		{Source: filepath.Join(s.dir, "home-"+c.spec.Name), Target: homeDir},
	}
	if isOperator(s.pod) {
		c.prepareOperator(spec)
	} else if isHelm(s.pod) {
		c.prepareHelm(spec)
	} else if err := c.prepareRay(spec); err != nil {
		return nil, err
	}
	if len(spec.Argv) == 0 {
		return nil, fmt.Errorf("the container has no command and the rig no image to take one from")
	}
	if err := c.prepareMounts(spec); err != nil {
		return nil, err
	}
	s.rig.runner.writeHosts(s)
	empty := filepath.Join(s.dir, "resolv.conf")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		return nil, err
	}
	spec.Mounts = append(spec.Mounts, mountSpec{Source: s.hosts, Target: "/etc/hosts"},
		mountSpec{Source: empty, Target: "/etc/resolv.conf"})
	return spec, nil
}

func (c *container) prepareOperator(spec *containerSpec) {
	program := c.sandbox.rig.operator
	spec.Mounts = append(spec.Mounts, mountSpec{Source: program, Target: "/manager", ReadOnly: true})
	if len(c.spec.Command) == 0 {
		spec.Argv = append([]string{"/manager"}, spec.Argv...)
	}
	if spec.WorkDir == "" {
		spec.WorkDir = "/"
	}
	if !c.sandbox.rig.olderOperator {
		return
	}
	for i, arg := range spec.Argv {
		gates, ok := strings.CutPrefix(arg, "--feature-gates=")
		if !ok {
			continue
		}
		var kept []string
		for gate := range strings.SplitSeq(gates, ",") {
			if name, _, _ := strings.Cut(gate, "="); !newerGates[name] {
				kept = append(kept, gate)
			}
		}
		spec.Argv[i] = "--feature-gates=" + strings.Join(kept, ",")
	}
}

func (c *container) prepareHelm(spec *containerSpec) {
	spec.Mounts = append(spec.Mounts, mountSpec{Source: c.sandbox.rig.helm(), Target: helmDir + "/helm",
		ReadOnly: true})
	if spec.WorkDir == "" {
		spec.WorkDir = "/"
	}
}

// helm is where scripts/rig helm leaves the program; nothing is there before.
func (r *rig) helm() string { return filepath.Join(r.dir, "helm") }

func (c *container) prepareRay(spec *containerSpec) error {
	venv := c.sandbox.rig.venv
	spec.ReadOnly = append(append([]string{}, spec.ReadOnly...), venv)
	// The environment's interpreter is a link to one that may live anywhere.
	if base, err := filepath.EvalSymlinks(venv + "/bin/python3"); err == nil {
		if prefix := path.Dir(path.Dir(base)); !strings.HasPrefix(prefix, "/usr") {
			spec.ReadOnly = append(spec.ReadOnly, prefix)
		}
	}
	shm := filepath.Join(c.sandbox.dir, "shm-"+c.spec.Name)
	if !c.sandbox.tmpfs[shm] {
		if err := os.MkdirAll(shm, 0o777); err != nil {
			return err
		}
		if err := c.sandbox.mountTmpfs(shm, int64(c.sandbox.rig.shmMB)<<20); err != nil {
			return err
		}
	}
	spec.Mounts = append(spec.Mounts, mountSpec{Source: shm, Target: "/dev/shm"})
	spec.Links[homeDir+"/anaconda3"] = venv
	if spec.WorkDir == "" {
		spec.WorkDir = homeDir
	}
	return nil
}

func (c *container) prepareMounts(spec *containerSpec) error {
	s := c.sandbox
	for _, m := range c.spec.VolumeMounts {
		source := s.volumes[m.Name]
		sub := m.SubPath
		if m.SubPathExpr != "" {
			env := map[string]string{}
			for _, pair := range spec.Env {
				name, value, _ := strings.Cut(pair, "=")
				env[name] = value
			}
			sub = expand(m.SubPathExpr, env)
		}
		if sub != "" {
			source = filepath.Join(source, path.Clean("/"+sub))
			if !exists(source) {
				if err := os.MkdirAll(source, 0o777); err != nil {
					return err
				}
				_ = os.Chmod(source, 0o777)
			}
		}
		spec.Mounts = append(spec.Mounts,
			mountSpec{Source: source, Target: m.MountPath, ReadOnly: m.ReadOnly})
	}
	return nil
}

// notes are the first lines of a container's log: what the rig changed.
func (s *containerSpec) notes(c *container) []string {
	var notes []string
	if isOperator(c.sandbox.pod) {
		for _, arg := range c.spec.Args {
			if strings.HasPrefix(arg, "--feature-gates=") && !contains(s.Argv, arg) {
				notes = append(notes, "rig: this is an older operator; gates it does not know were left out\n")
			}
		}
	}
	return notes
}

func contains(list []string, text string) bool {
	for _, have := range list {
		if have == text {
			return true
		}
	}
	return false
}
