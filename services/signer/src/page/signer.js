// Pairs a device, signs in and signs answers. It trusts the owner's key alone, which pairing pins.
const GATEWAY = document.querySelector('meta[name="gateway"]').content;
const ROUNDS = 600000;
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const view = document.getElementById('view');
const utf8 = new TextEncoder();
const text = new TextDecoder('utf-8', { fatal: true });

// Bytes.
const concat = (...parts) => {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { all.set(part, at); at += part.length; }
  return all;
};
const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);
const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const unhex = (digits) => {
  if (!/^([0-9a-f]{2})*$/.test(digits)) throw new Error('not hexadecimal');
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
};
const base64 = (bytes) => btoa(String.fromCharCode(...bytes));
const unbase64 = (letters) => Uint8Array.from(atob(letters), (letter) => letter.charCodeAt(0));
const uuid = (bytes) => hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest('SHA-256', concat(...parts)));

// MessagePack, in the one form that the bus accepts.
const head = (small, limit, wide, length) => {
  if (length < limit) return [small + length];
  if (wide[0] && length < 256) return [wide[0], length];
  if (length < 65536) return [wide[1], length >> 8, length & 255];
  throw new Error('too long');
};
function encode(value) {
  if (typeof value === 'boolean') return Uint8Array.of(value ? 0xc3 : 0xc2);
  if (typeof value === 'string') {
    const bytes = utf8.encode(value);
    return concat(head(0xa0, 32, [0xd9, 0xda], bytes.length), bytes);
  }
  if (value instanceof Uint8Array) return concat(head(0, 0, [0xc4, 0xc5], value.length), value);
  if (typeof value === 'bigint') {
    const bytes = new Uint8Array(9);
    bytes[0] = 0xcf;
    new DataView(bytes.buffer).setBigUint64(1, value);
    if (value < 4294967296n) throw new Error('too small');
    return bytes;
  }
  const entries = Object.entries(value).flatMap(([key, item]) => [encode(key), encode(item)]);
  return concat(head(0x80, 16, [0, 0xde], entries.length / 2), ...entries);
}
function decode(bytes) {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (length) => {
    if (at + length > bytes.length) throw new Error('cut off');
    at += length;
    return at - length;
  };
  const number = (kind, length) => data[`get${kind}`](take(length));
  const string = (length) => text.decode(bytes.subarray(take(length), at));
  const binary = (length) => bytes.slice(take(length), at);
  const list = (length) => Array.from({ length }, item);
  const map = (length) => {
    const found = Object.create(null);
    for (let i = 0; i < length; i += 1) {
      const key = item();
      if (typeof key !== 'string' || key in found) throw new Error('a key is wrong');
      found[key] = item();
    }
    return found;
  };
  function item() {
    const tag = number('Uint8', 1);
    if (tag < 0x80) return tag;
    if (tag < 0x90) return map(tag - 0x80);
    if (tag < 0xa0) return list(tag - 0x90);
    if (tag < 0xc0) return string(tag - 0xa0);
    if (tag >= 0xe0) return tag - 0x100;
    switch (tag) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: return binary(number('Uint8', 1));
      case 0xc5: return binary(number('Uint16', 2));
      case 0xcc: return number('Uint8', 1);
      case 0xcd: return number('Uint16', 2);
      case 0xce: return number('Uint32', 4);
      case 0xcf: return number('BigUint64', 8);
      case 0xd0: return number('Int8', 1);
      case 0xd1: return number('Int16', 2);
      case 0xd2: return number('Int32', 4);
      case 0xd3: return number('BigInt64', 8);
      case 0xd9: return string(number('Uint8', 1));
      case 0xda: return string(number('Uint16', 2));
      case 0xdc: return list(number('Uint16', 2));
      case 0xde: return map(number('Uint16', 2));
      default: throw new Error('an unknown form');
    }
  }
  const value = item();
  if (at !== bytes.length) throw new Error('more bytes follow');
  return value;
}

// The device that this browser is, with the owner's key that pairing pinned.
const opened = new Promise((done, failed) => {
  const request = indexedDB.open('signer', 1);
  request.onupgradeneeded = () => request.result.createObjectStore('kept');
  request.onsuccess = () => done(request.result);
  request.onerror = () => failed(request.error);
});
async function kept(mode, act) {
  const store = (await opened).transaction('kept', mode).objectStore('kept');
  return new Promise((done, failed) => {
    const request = act(store);
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
}
const load = (name) => kept('readonly', (store) => store.get(name));
const forget = (name) => kept('readwrite', (store) => store.delete(name));
const save = (name, value) => kept('readwrite', (store) => store.put(value, name));

// Signatures.
const now = () => BigInt(Date.now()) * 1000000n;
async function verify(key, bytes, signature) {
  const owner = await crypto.subtle.importKey('raw', key, 'Ed25519', false, ['verify']);
  return crypto.subtle.verify('Ed25519', owner, signature, bytes);
}
async function sign(device, statement) {
  const bytes = encode(statement);
  if (device.keys.passkey) return encode(await assertion(device, bytes));
  const signature = new Uint8Array(await crypto.subtle.sign('Ed25519', device.keys.privateKey, bytes));
  return encode({ by: device.key, statement: bytes, signature });
}
// A passkey: its name covers its key, this host and this origin.
async function makePasskey() {
  const made = await navigator.credentials.create({
    publicKey: {
      rp: { id: location.hostname, name: 'Contractual' },
      user: { id: crypto.getRandomValues(new Uint8Array(32)), name: 'Contractual', displayName: 'Contractual' },
      challenge: crypto.getRandomValues(new Uint8Array(32)),
      pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
      authenticatorSelection: { userVerification: 'required' },
      attestation: 'none',
    },
  });
  const point = new Uint8Array(made.response.getPublicKey()).slice(-65);
  if (made.response.getPublicKeyAlgorithm() !== -7 || point.length !== 65 || point[0] !== 4) throw new Error('the passkey is of another kind');
  return { passkey: { id: new Uint8Array(made.rawId), point } };
}
async function passkeyName(point) {
  const party = await sha256(utf8.encode(location.hostname));
  return sha256(utf8.encode('contractual passkey v1\0'), point, party, utf8.encode(location.origin));
}
async function assertion(device, bytes) {
  const { id, point } = device.keys.passkey;
  const { response } = await navigator.credentials.get({
    publicKey: {
      challenge: await sha256(bytes), rpId: location.hostname, userVerification: 'required',
      allowCredentials: [{ type: 'public-key', id }],
    },
  });
  const [authenticator, client] = [response.authenticatorData, response.clientDataJSON].map((part) => new Uint8Array(part));
  const signature = numbers(new Uint8Array(response.signature));
  return { by: device.key, statement: bytes, signature, assertion: { key: point, authenticator, client } };
}
// The two numbers of a signature in DER, 32 bytes each.
function numbers(der) {
  const both = new Uint8Array(64);
  let at = 2;
  for (const end of [32, 64]) {
    let part = der.slice(at + 2, at + 2 + der[at + 1]);
    at += 2 + part.length;
    while (part.length > 32 && part[0] === 0) part = part.slice(1);
    if (part.length > 32) throw new Error('the passkey made no signature of its kind');
    both.set(part, end - part.length);
  }
  return both;
}
// An event of the owner: its fact, if the owner's key signed exactly these bytes.
async function ownerSaid(owner, word, kind) {
  const body = unbase64(word.body);
  if (!(await verify(owner, body, unhex(word.signature)))) throw new Error("the owner's signature does not fit");
  const event = decode(body);
  if (event.schema !== `${kind}.v1` || event.author !== 'owner' || event.subject !== `event.owner.${kind}`) {
    throw new Error('it is another event of the owner');
  }
  return event.fact;
}

// The gateway, which nothing is believed of: its words stay off this page, so it cannot ask a person for anything here.
const WHY = {
  401: 'the gateway does not accept this device: it is revoked, it has expired, or its clock is wrong',
  403: 'the gateway refused this device',
  404: 'the gateway does not know this; open the address as it was printed',
  409: 'this was done before, or by another device',
  410: 'this has ended; start again at the terminal',
};
let access;
// A passkey asks its person each time, so its access is used as long as it holds.
async function accessOf(device) {
  if (access && access.until > now() + 20000000000n) return access.header;
  const until = now() + 60000000000n;
  const header = `Contractual ${base64(await sign(device, { access: { deployment: device.deployment, until } }))}`;
  if (device.keys.passkey) access = { until, header };
  return header;
}
async function ask(path, { body, device } = {}) {
  const headers = {};
  if (body) headers['content-type'] = 'application/json';
  if (device) headers.authorization = await accessOf(device);
  const method = body ? 'POST' : 'GET';
  const response = await fetch(GATEWAY + path, {
    method, headers, body: body && JSON.stringify(body), credentials: 'omit', referrerPolicy: 'no-referrer',
  });
  if (response.ok) return response;
  throw new Error(WHY[response.status] ?? `the gateway answered ${response.status}; try again later`);
}
async function content(device, author, named) {
  const path = `/v1/contents/${author}/${hex(named.digest)}/${named.len}`;
  const response = await ask(path, { device });
  const bytes = new Uint8Array(await response.arrayBuffer());
  const salt = unhex(response.headers.get('contractual-salt') ?? '');
  const digest = await sha256(salt, bytes);
  if (salt.length !== 32 || bytes.length !== named.len || !same(digest, named.digest)) {
    throw new Error('the gateway returned other bytes than the question names');
  }
  return bytes;
}

// Canonical JSON, of which digests of tools are made.
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`);
  return `{${members.join(',')}}`;
}
// The tool of a question, as it stood in the catalogue when the owner signed the contract.
async function signedTool(device, contract, draft) {
  const named = contract.envelope.tools.find((one) => one.name === draft.tool);
  if (!named || !same(named.digest, draft.tool_digest)) throw new Error('the contract that the owner signed names no such tool');
  const entries = JSON.parse(text.decode(await content(device, 'owner', contract.pins.tools)));
  const entry = Array.isArray(entries) ? entries.find((one) => one?.name === draft.tool) : undefined;
  if (!entry || !same(await sha256(utf8.encode(canonical(entry))), named.digest)) {
    throw new Error('the entry of the tool is not the one that the owner signed');
  }
  return entry;
}

// The page: text alone, never markup.
const node = (tag, said, kind) => {
  const made = document.createElement(tag);
  if (said !== undefined) made.textContent = said;
  if (kind) made.className = kind;
  return made;
};
const show = (title, ...nodes) => {
  document.title = `${title} – Contractual signer`;
  view.replaceChildren(node('h1', title), ...nodes);
};
const button = (said, kind, act) => {
  const made = node('button', said, kind);
  made.type = 'button';
  made.addEventListener('click', act);
  return made;
};
const fault = (title, error) => show(title, node('p', `${error.message ?? error}.`, 'fault'), back());
const back = () => {
  const link = node('a', 'Back to the gateway');
  link.href = `${GATEWAY}/`;
  return link;
};
const HIDDEN = /\p{C}|\p{Zl}|\p{Zp}|\p{Default_Ignorable_Code_Point}/u;
// What a person does not see is written out.
function visible(target, said, keepLines) {
  let plain = '';
  for (const letter of said) {
    if (!HIDDEN.test(letter) || (keepLines && letter === '\n')) { plain += letter; continue; }
    target.append(plain, node('mark', `\\u{${letter.codePointAt(0).toString(16)}}`));
    plain = '';
  }
  target.append(plain);
  return target;
}
const mixes = (said) => /\p{Script=Latin}/u.test(said) && /\p{Script=Cyrillic}|\p{Script=Greek}/u.test(said);
const pairs = (...entries) => {
  const list = node('dl');
  for (const [name, value] of entries) list.append(visible(node('dt'), name), visible(node('dd'), value));
  return list;
};
const moment = (ns) => `${new Date(Number(ns / 1000000n)).toISOString().replace('T', ' ').slice(0, 19)} UTC`;

// Pairing.
async function checkCode(owner, key, pairing) {
  const secret = await crypto.subtle.importKey('raw', concat(owner, key), 'PBKDF2', false, ['deriveBits']);
  const bits = await crypto.subtle.deriveBits(
    { name: 'PBKDF2', hash: 'SHA-256', salt: pairing, iterations: ROUNDS }, secret, 40);
  let value = BigInt(`0x${hex(new Uint8Array(bits))}`);
  let code = '';
  for (let i = 0; i < 8; i += 1) { code = CROCKFORD[Number(value & 31n)] + code; value >>= 5n; }
  return `${code.slice(0, 4)}-${code.slice(4)}`;
}
async function pair(id, ownerHex, isPasskey) {
  const owner = unhex(ownerHex);
  const pairing = unhex(id);
  if (owner.length !== 32 || pairing.length !== 16) throw new Error('the address is incomplete; open it as the terminal prints it');
  const known = await load('device');
  if (known && !same(known.owner, owner)) {
    throw new Error('this browser is paired with another owner; clear the data of this site first');
  }
  let keys = await load(`pairing ${id}`);
  if (!keys) {
    keys = isPasskey ? await passkeyByHand() : await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']);
    await save(`pairing ${id}`, keys);
  }
  const key = keys.passkey
    ? await passkeyName(keys.passkey.point)
    : new Uint8Array(await crypto.subtle.exportKey('raw', keys.publicKey));
  const path = `/v1/pairings/${id}`;
  await ask(`${path}/device`, { body: { key: { [kind(keys)]: hex(key) } } });
  const code = node('p', await checkCode(owner, key, pairing), 'code');
  code.id = 'code';
  show('Type this code into the terminal', code,
    node('p', 'Type it yourself, at the computer where you ran `contractual pair`. Give it to nobody.'));
  for (;;) {
    // While the device slept or the gateway restarts, nothing is decided.
    const response = await ask(path).catch((error) => { if (!(error instanceof TypeError)) throw error; });
    const shown = response ? await response.json() : {};
    if (shown.state === 'ended') throw new Error('the pairing has ended; run `contractual pair` again');
    if (shown.state === 'paired') {
      await paired(owner, keys, key, shown.endorsement);
      await forget(`pairing ${id}`);
      return home();
    }
    await new Promise((done) => { setTimeout(done, 500); });
  }
}
const kind = (keys) => (keys.passkey ? 'webauthn-es256' : 'ed25519');
// Browsers make a passkey only for a person who has pressed something.
const passkeyByHand = () => new Promise((done, failed) => {
  const make = button('Make the passkey', 'yes', () => makePasskey().then(done, failed));
  make.id = 'make';
  show('Make a passkey for this device', node('p', 'It asks for your finger, your face or the PIN of this device before each signature.'), make);
});
async function paired(owner, keys, key, word) {
  const fact = await ownerSaid(owner, word, 'device.endorsed');
  if (!fact.key[kind(keys)] || !same(fact.key[kind(keys)], key)) throw new Error('the owner endorsed another device');
  await save('device', {
    owner, keys, key, deployment: fact.deployment, id: fact.device, role: fact.role, name: fact.name, expires: fact.expires,
  });
  history.replaceState(null, '', location.pathname);
}

// Signing in.
async function signIn(device) {
  const asked = await ask('/v1/session/challenge', { body: { device: uuid(device.id) } });
  const { challenge } = await asked.json();
  const said = { deployment: device.deployment, device: device.id, challenge: unhex(challenge), origin: GATEWAY };
  const signed = base64(await sign(device, { sign_in: said }));
  const form = node('form');
  form.method = 'post';
  form.action = `${GATEWAY}/v1/session`;
  const field = node('input');
  field.type = 'hidden';
  field.name = 'signed';
  field.value = signed.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  form.append(field);
  document.body.append(form);
  form.submit();
}
async function home() {
  const device = await load('device');
  if (!device) {
    const more = [];
    if (location.hostname === '127.0.0.1') {
      const link = node('a', 'Go on there if this browser was paired with a passkey');
      link.href = `http://localhost:${location.port}/${location.hash}`;
      more.push(node('p'));
      more[0].append(link);
    }
    show('This device is not paired', node('p', 'Run `contractual pair --role approver --name Laptop` at your computer, and open the address that it prints.'), ...more);
    return;
  }
  const enter = button('Sign in', 'yes', () => signIn(device).catch((error) => fault('Not signed in', error)));
  enter.id = 'sign-in';
  show(`${device.name} is paired`, pairs(['Role', device.role], ['Signs with', device.keys.passkey ? 'a passkey' : 'a key of this browser'], ["Owner's key", hex(device.owner)], ['Valid until', moment(device.expires)]), enter);
}

// Signing.
async function question(taskId, actionId) {
  const device = await load('device');
  if (!device) { await home(); return; }
  if (device.keys.passkey && !access) await shownByHand(device);
  const shown = await (await ask(`/v1/tasks/${taskId}/questions/${actionId}`, { device })).json();
  const bytes = unbase64(shown.draft);
  const draft = decode(bytes);
  if (uuid(draft.task) !== taskId || uuid(draft.action) !== actionId || !same(draft.deployment, device.deployment)) {
    throw new Error('the gateway showed another question than the address names');
  }
  const asked = draft.asked;
  const approvers = [...(asked?.approvers ?? []), ...(asked?.escalation?.approvers ?? [])];
  if (!approvers.some((one) => same(one, device.owner))) throw new Error('the question is not for the owner of this device');
  if (asked.attended) throw new Error('the contract demands an answer at the terminal');
  if (![draft.tool, draft.rule].every((name) => /^[A-Za-z0-9._-]{1,128}$/.test(name))) throw new Error('the gateway showed a name that no tool or rule has');
  if (asked.verified && !device.keys.passkey) throw new Error('the contract demands a passkey; answer with a device that was paired with one');
  if (asked.until <= now()) throw new Error('the question has expired; propose the action again');
  if (!shown.contract) throw new Error('the gateway has no signature of the contract; answer at the terminal');
  const contract = await ownerSaid(device.owner, shown.contract, 'contract.signed');
  if (!same(contract.contract, draft.contract)) throw new Error('the gateway showed another contract than the question names');
  const document = await content(device, 'owner', contract.document);
  if (!same(await sha256(document), draft.contract)) throw new Error('the text of the contract is not the one that the owner signed');
  const tool = await signedTool(device, contract, draft);
  const args = text.decode(await content(device, draft.args_by, draft.args));
  present(device, bytes, draft, { ...contract, tool, text: text.decode(document) }, args);
}
// The passkey proves who reads before the gateway shows the question.
const shownByHand = (device) => new Promise((done, failed) => {
  const open = button('Show the question', 'yes', () => accessOf(device).then(done, failed));
  open.id = 'show';
  show('A question waits', node('p', 'Your passkey proves that you may read it, and signs your answer.'), open);
});
function present(device, bytes, draft, contract, args) {
  const answer = (approve) => () => {
    no.disabled = true;
    yes.disabled = true;
    return reply(device, bytes, draft, approve).catch((error) => fault('Not sent', error));
  };
  const no = button('Refuse', 'no', answer(false));
  const yes = button('Approve', 'yes', answer(true));
  no.id = 'refuse';
  yes.id = 'approve';
  const given = JSON.parse(args);
  // Another form than the browser's own could hide what it drops.
  const listed = given && typeof given === 'object' && !Array.isArray(given) && JSON.stringify(given) === args;
  const shown = listed
    ? pairs(...Object.entries(given).map(([name, value]) => [name, JSON.stringify(value)]))
    : visible(node('pre'), args);
  const notes = [];
  if (mixes(args)) notes.push(node('p', 'The arguments mix alphabets: letters that look alike may differ.', 'warn'));
  const whole = node('details');
  whole.append(node('summary', 'The contract, as the owner signed it'), visible(node('pre'), contract.text, true));
  const buttons = device.role === 'viewer' ? [node('p', 'This device may only read.', 'warn')] : [no, yes];
  show(`May ${draft.tool} run?`,
    pairs(['Tool', String(contract.tool.description ?? draft.tool)], ['Contract', `${contract.name}, version ${contract.version}`], ['Rule', draft.rule], ['Answer until', moment(draft.asked.until)], ...limits(draft)),
    node('h2', 'Arguments'), shown, ...notes, ...buttons, whole);
  // The question is read from its beginning.
  no.focus({ preventScroll: true });
}
// What one call may use, as far as it is limited.
function limits(draft) {
  const { counts, asked } = draft;
  const shown = [['At most', `${draft.wall_ms} ms, ${draft.output_bytes_max} bytes of output`]];
  if (draft.secrets?.length) shown.push(['Secrets', draft.secrets.join(', ')]);
  if (counts?.outward) shown.push(['Outward', 'something leaves the deployment']);
  if (counts?.spend) shown.push(['Spends', JSON.stringify(counts.spend, (_, value) => (typeof value === 'bigint' ? String(value) : value))]);
  if (asked.quorum > 1) shown.push(['Needs', `the yes of ${asked.quorum} people`]);
  return shown;
}
async function reply(device, bytes, draft, approve) {
  const said = {
    deployment: draft.deployment, task: draft.task, action: draft.action, contract: draft.contract,
    draft: await sha256(bytes), approve, at: now(),
  };
  await ask('/v1/approvals', { body: { signed: base64(await sign(device, { approval: said })) } });
  const done = node('p', approve ? 'Your approval was sent.' : 'Your refusal was sent.');
  done.id = 'sent';
  show(approve ? 'Approved' : 'Refused', done, back());
}

async function start() {
  const named = new URLSearchParams(location.hash.slice(1));
  if (named.has('p')) return pair(named.get('p'), named.get('o') ?? '', named.get('k') === 'passkey');
  if (named.has('a')) return question(named.get('t') ?? '', named.get('a'));
  return home();
}
const begin = () => start().catch((error) => fault('This did not work', error));
// Another address is another page: nothing of the one before goes on.
addEventListener('hashchange', () => location.reload());
begin();
