// What runs in the server, and the keys it works on. Each script is one step for all who share the
// tier. This file owns the layout:
//
//   {prefix}:m   hash     e = epoch, a random number; s = sequence of the last batch; f = floor:
//                         entries whose version is not above it have ended
//   {prefix}:v   zset     what was ended (a name: change.ts) -> the version at which; and "" ->
//                         minus the epoch, so that a set that was lost is noticed
//   {prefix}:l   stream   the log: a batch each, its id is sequence-random, its fields who made it
//                         (w), its number (b), then the keys (k), names (n) and freed keys (r)
//   {prefix}:w:<id>       the lease of a key: its token
//   {prefix}:e:<id>       an entry: "U1 epoch version length " names body
//
// A version is sequence * 4096 + the place in the batch. Invariants: an entry is there for a reader
// only if it is of the epoch and no name of it was ended at a later version; if the hash or the set
// is gone (FLUSHALL, eviction), a new epoch begins, so that everything has ended. A set is made
// only if the log since `base`, the last batch its maker knew, has nothing of others about the key
// or its names; else the key ends. Nothing is read in a history that lacks the witness: the newest
// batch of which the reader knows, heard or its own.

/** The most changes of one batch. */
export const batchMax = 512;
/** The batches that the log keeps, about: who was away for longer drops all that it has. */
export const logMax = 8192;
/** The most ended tags and namespaces that are remembered; beyond, the older half of them makes
 *  all entries older than these end. */
export const namesMax = 262_144;
/** The most batches between what a maker knew and now; beyond, its sets end their keys. */
export const behindMax = 256;

const prelude = `
local m, v, l = KEYS[1], KEYS[2], KEYS[3]
local function state()
  local meta = redis.call('HMGET', m, 'e', 's', 'f')
  if not meta[1] then return nil end
  local mark = redis.call('ZSCORE', v, '')
  if not mark or tonumber(mark) ~= -tonumber(meta[1]) then return nil end
  return meta[1], tonumber(meta[2]), tonumber(meta[3])
end
local function has(id)
  return #redis.call('XRANGE', l, id, id) == 1
end
local function sequence(id)
  return tonumber(string.match(id, '^%d+'))
end
local function names(blob)
  local all, at = {}, 1
  while at <= #blob do
    local colon = string.find(blob, ':', at, true)
    local size = tonumber(string.sub(blob, at, colon - 1))
    all[#all + 1] = string.sub(blob, colon + 1, colon + size)
    at = colon + size + 1
  end
  return all
end
local function alive(text, epoch, floor)
  if not text then return false end
  local _, last, e, version, size = string.find(text, '^U1 (%d+) (%d+) (%d+) ')
  if e ~= epoch then return false end
  version = tonumber(version)
  if version <= floor then return false end
  for _, name in ipairs(names(string.sub(text, last + 1, last + tonumber(size)))) do
    local ended = redis.call('ZSCORE', v, name)
    if ended and tonumber(ended) > version then return false end
  end
  return string.sub(text, last + 1 + tonumber(size))
end
`;

/** KEYS m v l. ARGV: a random epoch, a random number, the epoch and the id that the caller knows
 *  ("" = none), its witness. Answers the epoch, the id of the last batch, and 1 if the log has all
 *  since the id that the caller knows. Begins an epoch if there is none, or if id or witness is not
 *  in this history, which a failover has cut: what is there may be older than what was there. */
export const openScript = `${prelude}
local epoch, seq = state()
local isKnown, isLost = false, false
if epoch and epoch == ARGV[3] then
  isKnown = true
  local first = redis.call('XRANGE', l, '-', '+', 'COUNT', 1)[1]
  for _, id in ipairs({ARGV[4], ARGV[5]}) do
    if not has(id) then
      isKnown = false
      local at = sequence(id)
      -- One that is older than the whole log was trimmed.
      if seq < at or (first and sequence(first[1]) <= at) then isLost = true end
    end
  end
end
if not epoch or isLost then
  epoch, seq = ARGV[1], 0
  redis.call('DEL', m, v, l)
  redis.call('HSET', m, 'e', epoch, 's', 0, 'f', 0)
  redis.call('ZADD', v, '-' .. epoch, '')
  redis.call('XADD', l, '0-' .. ARGV[2], 'w', '', 'b', 0)
end
local last = redis.call('XREVRANGE', l, '+', '-', 'COUNT', 1)[1]
local id = last and last[1] or ''
if not last or sequence(id) ~= seq then
  seq = redis.call('HINCRBY', m, 's', 1)
  redis.call('DEL', l)
  id = string.format('%.0f', seq) .. '-' .. ARGV[2]
  redis.call('XADD', l, id, 'w', '', 'b', 0, 'n', '*')
  isKnown = false
end
return {epoch, id, isKnown and 1 or 0}
`;

/** KEYS m v l, entries. ARGV: the epoch, the witness of the reader. Answers the epoch, then each
 *  entry's body or nil; only "" if the history is another one. */
export const readScript = `${prelude}
local epoch, _, floor = state()
if epoch ~= ARGV[1] or not has(ARGV[2]) then return {''} end
local found = {epoch}
for index = 4, #KEYS do
  found[index - 2] = alive(redis.call('GET', KEYS[index]), epoch, floor)
end
return found
`;

/** KEYS m v l, entry, lease. ARGV: the epoch, token, ms, now in ms, witness. Answers as a read and
 *  0 if the lease was given, -1 if none is needed, else for how long another has it. */
export const leaseScript = `${prelude}
local epoch, _, floor = state()
if epoch ~= ARGV[1] or not has(ARGV[5]) then return {'', false, -1} end
local body = alive(redis.call('GET', KEYS[4]), epoch, floor)
if body then
  local expires = string.match(body, '^[^ ]+ ([^ ]+) ')
  if expires == 'inf' or tonumber(expires) > tonumber(ARGV[4]) then return {epoch, body, -1} end
end
if redis.call('SET', KEYS[5], ARGV[2], 'NX', 'PX', ARGV[3]) then return {epoch, body, 0} end
if redis.call('GET', KEYS[5]) == ARGV[2] then return {epoch, body, 0} end
return {epoch, body, math.max(1, redis.call('PTTL', KEYS[5]))}
`;

/** KEYS m v l, lease. ARGV: the epoch, token, writer, random, log length, id. Ends a lease if the
 *  token has it, and tells the others. */
export const releaseScript = `${prelude}
local epoch, seq = state()
if redis.call('GET', KEYS[4]) ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[4])
if epoch ~= ARGV[1] then return 0 end
seq = string.format('%.0f', redis.call('HINCRBY', m, 's', 1))
redis.call('XADD', l, 'MAXLEN', '~', ARGV[5], seq .. '-' .. ARGV[4],
  'w', ARGV[3], 'b', 0, 'r', ARGV[6])
return 1
`;

/** KEYS m v l, an entry for each key that is set or deleted. ARGV: the epoch, writer, number of the
 *  batch, id of the batch that the writer knew, random, log length, most names; then for each
 *  change its kind (s, d, n), id or name, ms to live ("" = for ever), names, body. Answers how
 *  many sets ended their keys, and the id of the batch; -1 if the epoch is another one and nothing
 *  was made. */
export const applyScript = `${prelude}
local epoch, seq, floor = state()
if epoch ~= ARGV[1] then return {-1, ''} end
local writer, number, base = ARGV[2], tonumber(ARGV[3]), ARGV[4]
local changed, isUnknown = {}, false
local rows = redis.call('XRANGE', l, base, '+', 'COUNT', ${behindMax + 2})
if #rows == 0 or rows[1][1] ~= base or #rows > ${behindMax + 1} then isUnknown = true end
local last = #rows > 0 and sequence(rows[#rows][1]) or -1
if last ~= seq then isUnknown = true end
for index = 2, #rows do
  local fields = rows[index][2]
  local isOwn = fields[2] == writer and tonumber(fields[4]) < number
  if not isOwn then
    for at = 5, #fields, 2 do changed[fields[at] .. fields[at + 1]] = true end
  end
end
local function isRefused(id, blob)
  if isUnknown or changed['k' .. id] or changed['n*'] then return true end
  for _, name in ipairs(names(blob)) do if changed['n' .. name] then return true end end
  return false
end
seq = redis.call('HINCRBY', m, 's', 1)
local told = {'w', writer, 'b', number}
local at, slot, key, refused = 8, 0, 4, 0
while at <= #ARGV do
  local kind, id, ttl, blob, body = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  at, slot = at + 5, slot + 1
  local version = string.format('%.0f', seq * 4096 + slot)
  if kind == 'n' then
    told[#told + 1] = 'n'
    if id == '*' then
      floor = tonumber(version)
      redis.call('HSET', m, 'f', version)
      redis.call('DEL', v)
      redis.call('ZADD', v, '-' .. epoch, '')
    else
      redis.call('ZADD', v, version, id)
    end
  else
    told[#told + 1] = 'k'
    if kind == 's' and isRefused(id, blob) then kind, refused = 'd', refused + 1 end
    if kind == 's' then
      local text = 'U1 ' .. epoch .. ' ' .. version .. ' ' .. #blob .. ' ' .. blob .. body
      if ttl == '' then redis.call('SET', KEYS[key], text)
      else redis.call('SET', KEYS[key], text, 'PX', ttl) end
    else
      redis.call('UNLINK', KEYS[key])
    end
    key = key + 1
  end
  told[#told + 1] = id
end
local size = redis.call('ZCARD', v)
if size > tonumber(ARGV[7]) then
  local half = math.floor(size / 2)
  local row = redis.call('ZRANGE', v, half, half, 'WITHSCORES')
  if tonumber(row[2]) > floor then redis.call('HSET', m, 'f', row[2]) end
  redis.call('ZREMRANGEBYRANK', v, 1, half)
end
local id = string.format('%.0f', seq) .. '-' .. ARGV[5]
redis.call('XADD', l, 'MAXLEN', '~', ARGV[6], id, unpack(told))
return {refused, id}
`;
