-- gone: units that have left one place already.
--
-- Needs: stock, atp, takes, demand, tracing, shipping.

-- The goods have left one place: whatever is there goes, in the order of a firm order's passes; the rest is a fact too.
function gone.take(lines, needs, view, code)
  local spot = atp.spot_of(view, code)
  local shelves, job = {}, { view = view, bucket = 'committed' }
  for _, need in ipairs(needs) do
    shelves[need.state.sku] = atp.shelf(view, need.state, spot, rules.safety_of(need.state.sku, spot))
  end
  for _, pass in ipairs({ 'open', 'reserve', 'fence' }) do
    for _, line in ipairs(lines) do
      demand.fill_line(line, shelves[line.sku], pass, line.left, job)
    end
  end
  for _, line in ipairs(lines) do
    if line.left > 0 then
      takes.add_part(takes.at(line.takes, code), 'deficit', line.left, '')
      stock.move(stock.skus[line.sku], code, 'committed', line.left)
      line.left = 0
    end
  end
  return 'single'
end

-- The first place that could not count what has left it, as facts, or nil.
function gone.beyond_limit(lines, code)
  for _, line in ipairs(lines) do
    local on_hand, _, _, committed = stock.buckets(stock.skus[line.sku], code)
    if on_hand - committed < -stock.PLACE_MAX then
      return { line.sku, code, on_hand }
    end
  end
end

-- Returns the lines, packed, as they were before the goods left, with what left counted as shipped.
function gone.ship(lines)
  local rows = {}
  for i, line in ipairs(lines) do
    local takes = takes.pack(line.takes)
    for _, take in ipairs(line.takes) do
      shipping.ship(stock.skus[line.sku], take, take.units)
    end
    line.committed, line.shipped, line.takes = 0, line.committed, {}
    rows[i] = { line.line, line.sku, line.ordered, 0, line.shipped, 0, 0, 0, 0, takes }
  end
  return cmsgpack.pack(rows)
end
