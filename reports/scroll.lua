-- After everything is numbered (`at: post-render`), HTML only: a table or an equation scrolls in a box
-- of its own, never the page. The keyboard reaches the box, whose name is the table's caption. Header
-- cells say what they head.

if not FORMAT:match("html") then
  return {}
end

local SENTENCE = 40 -- characters

local function scope(row, value, n_cells)
  for i, cell in ipairs(row.cells) do
    if i <= n_cells and #cell.contents > 0 then
      cell.attributes.scope = value
    end
  end
end

-- A sentence in a cell is not squeezed into a column of single words.
local function widened(row)
  for _, cell in ipairs(row.cells) do
    if #pandoc.utils.stringify(cell.contents) > SENTENCE then
      cell.attr.classes:insert("sentence")
    end
  end
end

local function scoped(tbl)
  for _, row in ipairs(tbl.head.rows) do
    scope(row, "col", #row.cells)
  end
  for _, body in ipairs(tbl.bodies) do
    for _, row in ipairs(body.head) do
      scope(row, "col", #row.cells)
    end
    for _, row in ipairs(body.body) do
      scope(row, "row", body.row_head_columns)
      widened(row)
    end
  end
  return tbl
end

local function in_box(tbl, name)
  return pandoc.Div({ scoped(tbl) }, pandoc.Attr("", { "table-scroll" }, {
    { "role", "region" }, { "tabindex", "0" }, name,
  }))
end

-- Both renderers put what a caption describes into a div that names it.
local function with_caption(div)
  local caption = div.attributes["aria-describedby"]
  if not caption then
    return nil
  end
  local n = 0
  local content = div.content:walk({
    traverse = "topdown",
    Table = function(tbl)
      n = n + 1
      return in_box(tbl, { "aria-labelledby", caption }), false
    end,
  })
  if n > 0 then
    div.content, div.attributes["aria-describedby"] = content, nil
    return div, false
  end
end

local function equation(math)
  if math.mathtype == "DisplayMath" then
    return pandoc.Span({ math }, pandoc.Attr("", { "equation-body" }, {
      { "role", "group" }, { "tabindex", "0" }, { "aria-label", "Equation" },
    }))
  end
end

return {
  { Math = equation },
  {
    traverse = "topdown",
    Div = function(div)
      if div.classes:includes("table-scroll") then
        return div, false
      end
      return with_caption(div)
    end,
    Table = function(tbl)
      return in_box(tbl, { "aria-label", "Table" }), false
    end,
  },
}
