// Plain JavaScript, so that a Node too old for the rest can still say so.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `Strongroom needs Node 22.18 or newer, this is ${process.versions.node}: run it with "npm start", which brings its own.\n`,
  );
  process.exit(1);
}
await import('../src/main.ts');
