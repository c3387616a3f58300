-- packing: arrays made of parts that are packed already, byte for byte as if all of it had been packed at once.
--
-- Packing costs more than most of what a script does, so what goes to several places is packed once and spliced in.

-- The head of an array of up to 15 values; `cmsgpack.pack(one, two, ...)` is what comes behind it.
function packing.head(size)
  return string.char(144 + size)
end
